import { humanDuration } from "../../base/duration.ts";
import { shortId } from "../../base/ids.ts";
import { familiarName, parseReference } from "../../base/reference.ts";
import { formatSize } from "../../base/units.ts";
import type { ImageSummary } from "../../spec/spec.ts";
import type { ListShape } from "./format-list.ts";
import { goTime } from "./text.ts";

/** One line of the list: an image under one of its names. */
export interface NamedImage {
  readonly image: ImageSummary;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const none = "<none>";

interface Names {
  readonly tags: string[];
  readonly digests: string[];
}

function namesByRepository(image: ImageSummary): Map<string, Names> {
  const repositories = new Map<string, Names>();
  const of = (repository: string): Names => {
    const found = repositories.get(repository) ?? { tags: [], digests: [] };
    repositories.set(repository, found);
    return found;
  };
  for (const text of image.RepoTags ?? []) {
    if (text.startsWith(none)) continue;
    const reference = parseReference(text);
    of(familiarName(reference)).tags.push(reference.tag ?? "");
  }
  for (const text of image.RepoDigests ?? []) {
    if (text.startsWith(none)) continue;
    const reference = parseReference(text);
    of(familiarName(reference)).digests.push(reference.digest ?? "");
  }
  return repositories;
}

/** The lines of an image: one a tag, with each digest where digests are shown, or one without a name. */
export function namedImages(images: readonly ImageSummary[], digests: boolean): NamedImage[] {
  return images.flatMap((image) => {
    const lines: NamedImage[] = [];
    for (const [repository, names] of namesByRepository(image)) {
      for (const tag of names.tags) {
        const shown = digests && names.digests.length > 0 ? names.digests : [none];
        for (const digest of shown) lines.push({ image, repository, tag, digest });
      }
      if (names.tags.length === 0)
        for (const digest of names.digests) lines.push({ image, repository, tag: none, digest: digests ? digest : "" });
    }
    return lines.length > 0 ? lines : [{ image, repository: none, tag: none, digest: none }];
  });
}

const sizeOrUnknown = (bytes: number): string => (bytes === -1 ? "N/A" : formatSize(bytes, 4));

export const imageShape: ListShape<NamedImage> = {
  typeName: "formatter.imageContext",
  table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
  quiet: "{{.ID}}",
  headers: {
    ID: "IMAGE ID",
    Repository: "REPOSITORY",
    Tag: "TAG",
    Digest: "DIGEST",
    CreatedSince: "CREATED",
    CreatedAt: "CREATED AT",
    Size: "SIZE",
    Containers: "CONTAINERS",
    VirtualSize: "SIZE",
    SharedSize: "SHARED SIZE",
    UniqueSize: "UNIQUE SIZE",
  },
  fields: ({ image, repository, tag, digest }, truncate) => ({
    Containers: () => (image.Containers === -1 ? "N/A" : String(image.Containers)),
    CreatedAt: () => goTime(new Date(image.Created * 1000)),
    CreatedSince: () => (image.Created === 0 ? "" : `${humanDuration(Date.now() / 1000 - image.Created)} ago`),
    Digest: () => digest,
    ID: () => (truncate ? shortId(image.Id) : image.Id),
    Repository: () => repository,
    SharedSize: () => sizeOrUnknown(image.SharedSize),
    Size: () => formatSize(image.Size),
    Tag: () => tag,
    UniqueSize: () => (image.Size === -1 || image.SharedSize === -1 ? "N/A" : formatSize(image.Size - image.SharedSize, 4)),
    VirtualSize: () => formatSize(image.Size, 4),
  }),
};
