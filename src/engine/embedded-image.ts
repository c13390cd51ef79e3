/** Images that Berth carries in itself: one static program in one layer, the same image on every machine of a kind. */
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { notFound, parseReference } from "../base/base.ts";
import { archiveEnd, entryHeader, entryPadding, hostPlatform, type Images } from "../images/images.ts";
import type { Layers } from "../layers/layers.ts";

export interface EmbeddedImage {
  /** The static program's path on the host. It becomes `/<name>` in the image and its command. */
  readonly program: string;
  /** Its name in the image. */
  readonly name: string;
}

/** No time of the build: the image's id depends on its content only. */
const created = "2026-01-01T00:00:00Z";

/**
 * @param name familiar name with tag (`hello-world:latest`)
 * @throws NotFound for a name that is not embedded
 */
export async function installEmbedded(
  ports: { images: Images; layers: Layers; embedded: Readonly<Record<string, EmbeddedImage>> },
  name: string,
): Promise<void> {
  const image = Object.hasOwn(ports.embedded, name) ? ports.embedded[name] : undefined;
  if (image === undefined) throw notFound(`No such embedded image: ${name}`);
  const program = await readFile(image.program);
  const entry = { name: image.name, type: "file", mode: 0o755, sizeBytes: program.length } as const;
  const tar = Buffer.concat([entryHeader(entry), program, entryPadding(program.length), archiveEnd()]);
  await using _held = await ports.images.hold();
  const { diffId } = await ports.layers.ingest(Readable.from([tar], { objectMode: false }));
  await ports.images.create(
    {
      architecture: hostPlatform.architecture,
      os: hostPlatform.os,
      created,
      config: { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: [`/${image.name}`], WorkingDir: "/" },
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [
        { created, created_by: `COPY ${image.name} /` },
        { created, created_by: `CMD ["/${image.name}"]`, empty_layer: true },
      ],
    },
    parseReference(name),
  );
}
