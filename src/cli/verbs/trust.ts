import { createPrivateKey, type KeyObject, sign as signBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { errnoOf } from "../../base/errors.ts";
import { parseReference, repositoryOf } from "../../base/reference.ts";
import type { TrustInspect, TrustVerified } from "../../spec/spec.ts";
import { type Command, type Context, ExitError } from "../command.ts";
import { registryAuth } from "../credentials/header.ts";
import { escapeControls } from "../output/plain-text.ts";

/** Where the API has what is known of a name's signatures. */
const trustPath = (name: string): string => `/berth/trust/${name.split("/").map(encodeURIComponent).join("/")}`;

/** Whom the daemon asks the registry as. */
const authOf = (context: Context, name: string): Promise<Readonly<Record<string, string>>> =>
  registryAuth(context.configuration(), parseReference(name));

const shown = (value: unknown): string => `${escapeControls(JSON.stringify(value, undefined, 4)).replaceAll("\\u000a", "\n")}\n`;

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ExitError(1, `open ${path}: ${errnoOf(error) === "ENOENT" ? "no such file or directory" : String(error)}`);
  }
}

export const inspect: Command = {
  usage: "IMAGE[:TAG|@DIGEST] [IMAGE...]",
  args: { least: 1 },
  details: ["Shows the signatures that the registry has for each image, and what the daemon's policy says of it. Nothing is verified."],
  flags: [],
  async run(context, _flags, names) {
    const found: TrustInspect[] = [];
    for (const name of names)
      found.push(await context.client().json<TrustInspect>("GET", trustPath(name), { headers: await authOf(context, name) }));
    context.out(shown(found));
    return 0;
  },
};

export const verify: Command = {
  usage: "--key FILE IMAGE[:TAG|@DIGEST]",
  args: { least: 1, most: 1 },
  details: ["Succeeds when the image has a signature by one of the keys: ECDSA P-256, Ed25519 or RSA, as PEM."],
  flags: [{ name: "key", type: "strings", many: true, help: "File of a public key" }],
  async run(context, flags, [name = ""]) {
    const paths = flags.list("key");
    if (paths.length === 0) throw new ExitError(1, "--key is required");
    const Keys = await Promise.all(paths.map(readText));
    const headers = await authOf(context, name);
    context.out(shown(await context.client().json<TrustVerified>("POST", `${trustPath(name)}/verify`, { json: { Keys }, headers })));
    return 0;
  },
};

/** @throws ExitError for what is no private key that signatures can be made with here */
function privateKey(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const why = pem.includes("ENCRYPTED") ? "encrypted keys are not supported" : "not a private key in PEM form";
    throw new ExitError(1, `${path}: ${why}${error instanceof Error ? ` (${error.message})` : ""}`);
  }
}

export const sign: Command = {
  usage: "--key FILE IMAGE[:TAG|@DIGEST]",
  args: { least: 1, most: 1 },
  details: ["Signs what the registry has under the name, and puts the signature beside it. The key does not leave this machine."],
  flags: [
    { name: "key", type: "string", help: "File of the private key" },
    { name: "annotation", short: "a", type: "map", many: true, help: "Key and value that are signed too" },
  ],
  async run(context, flags, [name = ""]) {
    const path = flags.string("key");
    if (path === "") throw new ExitError(1, "--key is required");
    const key = privateKey(await readText(path), path);
    const headers = await authOf(context, name);
    const { Digest } = await context.client().json<TrustInspect>("GET", trustPath(name), { headers });
    const optional = Object.fromEntries(
      flags.list("annotation").map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
    );
    const payload = JSON.stringify({
      critical: {
        identity: { "docker-reference": repositoryOf(parseReference(name)) },
        image: { "docker-manifest-digest": Digest },
        type: "cosign container image signature",
      },
      optional: Object.keys(optional).length === 0 ? null : optional,
    });
    const data = Buffer.from(payload);
    const signature = signBytes(key.asymmetricKeyType === "ed25519" ? null : "sha256", data, key).toString("base64");
    const json = { Payload: data.toString("base64"), Signature: signature };
    await context.client().send("POST", `${trustPath(name)}/signatures`, { json, headers });
    context.out(`Signed ${name}: ${Digest}\n`);
    return 0;
  },
};
