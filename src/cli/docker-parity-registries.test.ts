/** Credentials as docker's client asks for them, keeps them and sends them. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundleClient, runClient } from "./bundled-client.ts";
import { type Script, ScriptedDaemon } from "./scripted-daemon.ts";

const hub = "https://index.docker.io/v1/";
const auth = Buffer.from("me:secret").toString("base64");
const welcome: Script = { "POST /auth": { json: { Status: "Login Succeeded", IdentityToken: "" } } };
const withToken: Script = { "POST /auth": { json: { Status: "Login Succeeded", IdentityToken: "refresh" } } };
const stranger: Script = { "POST /auth": { failure: 401, message: 'Get "http://r:5000/v2/": unauthorized: authentication required' } };
const pulled: Script = {
  "POST /images/create": { text: '{"status":"Pulling from x","id":"1"}\r\n{"status":"Status: Image is up to date for x:1"}\r\n' },
};
const pushed: Script = {
  "POST /images/r:5000/x/push": {
    text: '{"status":"The push refers to repository [r:5000/x]"}\r\n{"status":"Preparing","progressDetail":{},"id":"1"}\r\n{"status":"1: digest: sha256:2 size: 3"}\r\n{"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:2","Size":3}}\r\n',
  },
};
const pushedInstead: Script = {
  "POST /images/r:5000/x/push": {
    text: '{"status":"x"}\r\n{"progressDetail":{},"aux":{"manifestPushedInsteadOfIndex":true,"originalIndex":{"mediaType":"i","digest":"sha256:1","size":3},"selectedManifest":{"mediaType":"m","digest":"sha256:2","size":3}}}\r\n{"status":"1: digest: sha256:2 size: 3"}\r\n{"progressDetail":{},"aux":{"Tag":"1","Digest":"sha256:2","Size":3}}\r\n',
  },
};
const refused: Script = {
  "POST /images/r:5000/x/push": {
    text: '{"status":"The push refers to repository [r:5000/x]"}\r\n{"errorDetail":{"message":"denied: no"},"error":"denied: no"}\r\n',
  },
};
const found: Script = {
  "GET /images/search": {
    json: [
      { name: "few", description: "a\nb", star_count: 1, is_official: false, is_automated: false },
      { name: "many", description: "long ".repeat(30), star_count: 100, is_official: true, is_automated: false },
    ],
  },
};

/** Keeps what it is told in a file beside `config.json`; knows nothing of a registry called `broken`. */
const helper = `#!/bin/sh
read -r input
case "$1:$input" in
  *broken*) echo "it is broken"; exit 1 ;;
  store:*) printf '%s' "$input" > "$DOCKER_CONFIG/kept" ;;
  get:*) cat "$DOCKER_CONFIG/kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
  erase:*) rm -f "$DOCKER_CONFIG/kept" ;;
esac
`;

interface Case {
  readonly script?: Script;
  readonly args: readonly string[];
  readonly config?: object;
  readonly kept?: string;
  readonly input?: string;
}

const cases: Readonly<Record<string, Case>> = {
  "login with a password": { script: welcome, args: ["login", "-u", "me", "-p", "secret", "r:5000"] },
  "login with a password from standard input": {
    script: welcome,
    args: ["login", "-u", "me", "--password-stdin", "https://r:5000/v1/"],
    input: "secret\r\n",
  },
  "login to Docker Hub, which gives a token": { script: withToken, args: ["login", "-u", "me", "--password-stdin"], input: "secret" },
  "login that is refused": { script: stranger, args: ["login", "-u", "me", "-p", "wrong", "r:5000"] },
  "login keeps what else is there": {
    script: welcome,
    args: ["login", "-u", "me", "--password-stdin", "r:5000"],
    input: "secret",
    config: { auths: { other: { auth } }, psFormat: "x" },
  },
  "login with what is kept": { script: welcome, args: ["login", "r:5000"], config: { auths: { "r:5000": { auth } } } },
  "login with what is kept, and refused": { script: stranger, args: ["login", "r:5000"], config: { auths: { "r:5000": { auth } } } },
  "login without a terminal": { script: welcome, args: ["login", "r:5000"] },
  "login with a name only": { script: welcome, args: ["login", "-u", "me", "r:5000"] },
  "login, both passwords": { args: ["login", "-u", "me", "-p", "x", "--password-stdin", "r:5000"] },
  "login, no name": { args: ["login", "--password-stdin", "r:5000"] },
  "login, empty name": { args: ["login", "-u", "", "-p", "x", "r:5000"] },
  "login, empty password": { args: ["login", "-u", "x", "-p", "", "r:5000"] },
  "login, empty standard input": { args: ["login", "-u", "x", "--password-stdin", "r:5000"], input: "" },
  "login with a helper": {
    script: welcome,
    args: ["login", "-u", "me", "--password-stdin", "r:5000"],
    input: "secret",
    config: { credsStore: "test" },
  },
  "login with a helper, a token": {
    script: withToken,
    args: ["login", "-u", "me", "--password-stdin", "r:5000"],
    input: "secret",
    config: { credHelpers: { "r:5000": "test" } },
  },
  "login with a helper that fails": {
    script: welcome,
    args: ["login", "-u", "me", "--password-stdin", "broken:5000"],
    input: "secret",
    config: { credsStore: "test" },
  },
  "login with a helper that is not there": {
    script: welcome,
    args: ["login", "-u", "me", "--password-stdin", "r:5000"],
    input: "secret",
    config: { credsStore: "nosuch" },
  },
  logout: { args: ["logout", "r:5000"], config: { auths: { "r:5000": { auth }, other: { auth } } } },
  "logout of Docker Hub": { args: ["logout"], config: { auths: { [hub]: { auth } } } },
  "logout, nothing there": { args: ["logout", "r:5000"] },
  "logout with a helper": { args: ["logout", "r:5000"], config: { credsStore: "test", auths: { "r:5000": {} } }, kept: "{}" },
  "pull by nobody": { script: pulled, args: ["pull", "r:5000/x:1"] },
  "pull by somebody": { script: pulled, args: ["pull", "-q", "r:5000/x:1"], config: { auths: { "r:5000": { auth } } } },
  "pull by somebody, kept by address": {
    script: pulled,
    args: ["pull", "r:5000/x:1"],
    config: { auths: { "https://r:5000/v2/": { auth } } },
  },
  "pull from Docker Hub by somebody": { script: pulled, args: ["pull", "x:1"], config: { auths: { [hub]: { auth }, "r:5000": { auth } } } },
  "pull with a token": { script: pulled, args: ["pull", "x:1"], config: { auths: { [hub]: { auth, identitytoken: "refresh" } } } },
  "pull with a helper": {
    script: pulled,
    args: ["pull", "r:5000/x:1"],
    config: { credHelpers: { "r:5000": "test" } },
    kept: JSON.stringify({ ServerURL: "r:5000", Username: "me", Secret: "secret" }),
  },
  "pull with a helper's token": {
    script: pulled,
    args: ["pull", "r:5000/x:1"],
    config: { credsStore: "test" },
    kept: JSON.stringify({ ServerURL: "r:5000", Username: "<token>", Secret: "refresh" }),
  },
  push: { script: pushed, args: ["push", "r:5000/x:1"] },
  "push by somebody, quiet": { script: pushed, args: ["push", "-q", "r:5000/x:1"], config: { auths: { "r:5000": { auth } } } },
  "push of one platform instead of all": { script: pushedInstead, args: ["push", "r:5000/x:1"] },
  "push of one platform instead of all, quiet": { script: pushedInstead, args: ["push", "-q", "r:5000/x:1"] },
  "push without a tag": { script: pushed, args: ["push", "r:5000/x"] },
  "push of all tags": { script: pushed, args: ["push", "-a", "r:5000/x"] },
  "push of all tags, quiet": { script: pushed, args: ["push", "-qa", "r:5000/x"] },
  "push of all tags of one": { args: ["push", "-a", "r:5000/x:1"] },
  "push of a digest": { args: ["push", `r:5000/x@sha256:${"a".repeat(64)}`] },
  "push of a platform": { script: pushed, args: ["push", "--platform", "linux/arm/v7", "r:5000/x:1"] },
  "push of a wrong platform": { script: pushed, args: ["push", "--platform", "a/b/c/d", "r:5000/x:1"] },
  "push that is refused": { script: refused, args: ["push", "r:5000/x:1"] },
  "push that is refused, quiet": { script: refused, args: ["push", "-q", "r:5000/x:1"] },
  search: { script: found, args: ["search", "x"] },
  "search by somebody": { script: found, args: ["search", "r:5000/x"], config: { auths: { "r:5000": { auth } } } },
  "search with options": {
    script: found,
    args: [
      "search",
      "--limit",
      "3",
      "--no-trunc",
      "-f",
      "is-official=true",
      "-f",
      "stars=3",
      "--format",
      "{{.Name}}: {{.StarCount}} {{.IsOfficial}} {{.Description}}",
      "x",
    ],
  },
  "search as a table": { script: found, args: ["search", "--format", "table {{.Name}}\\t{{.StarCount}}", "x"] },
  "search as JSON": { script: found, args: ["search", "--format", "json", "x"] },
};

/** Their names, and each one's folder, apart. */
function plain(text: string, folder: string): string {
  return text
    .replaceAll(folder, "CONFIG")
    .replace(/\bdocker (?=login|logout|search|pull|push)/g, "berth ")
    .replace(/\bdocker\b(?! hub|[.-])/g, "berth");
}

describe("registries like docker", () => {
  let daemon: ScriptedDaemon;
  const folder = mkdtempSync("/tmp/berth-test-parity-");
  const main = join(folder, "berth.cjs");
  before(async () => {
    daemon = await ScriptedDaemon.open();
    await bundleClient(main);
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin/docker-credential-test"), helper, { mode: 0o755 });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function outcome(client: "docker" | "berth", one: Case): Promise<unknown> {
    const own = mkdtempSync(join(folder, "config-"));
    const path = join(own, "config.json");
    if (one.config !== undefined) writeFileSync(path, JSON.stringify(one.config));
    if (one.kept !== undefined) writeFileSync(join(own, "kept"), one.kept);
    daemon.script = one.script ?? {};
    daemon.asked.length = 0;
    daemon.headers.length = 0;
    const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env["PATH"]}`, DOCKER_HOST: daemon.host, DOCKER_CONFIG: own };
    const { status, stdout, stderr } = await runClient(client, main, one.args, { env, input: one.input ?? "" });
    const sent = daemon.headers.flatMap(({ "x-registry-auth": header }) =>
      header === undefined ? [] : [JSON.parse(Buffer.from(String(header), "base64url").toString()) as object],
    );
    const read = (file: string): unknown => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8") || "null") : undefined);
    const config = read(path);
    return {
      status,
      stdout: plain(stdout, own),
      stderr: plain(stderr, own),
      asked: daemon.asked.map((asked) => ({ ...asked })),
      sent,
      // A file without anything is none.
      config: JSON.stringify(config) === '{"auths":{}}' ? undefined : config,
      kept: read(join(own, "kept")),
    };
  }

  for (const [name, one] of Object.entries(cases))
    test(name, async () => {
      const expected = await outcome("docker", one);
      assert.deepEqual(await outcome("berth", one), expected);
    });
});
