/** What a path asks for. Names may have any words between their slashes, so paths are read from their end. */
import { type BlobDigest, checkedDigest, isBlobDigest, isName, isTag } from "./names.ts";
import { RegistryError } from "./registry-error.ts";

export type Route =
  | { readonly kind: "base" }
  | { readonly kind: "catalog" }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: BlobDigest }
  | { readonly kind: "manifest"; readonly repository: string; readonly reference: Reference }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: BlobDigest }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string };

/** Of a manifest: its tag or its digest. */
export type Reference = { readonly tag: string } | { readonly digest: BlobDigest };

const idShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function segmentsOf(path: string): string[] | undefined {
  try {
    return path.split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function referenceOf(text: string): Reference {
  if (isBlobDigest(text)) return { digest: text };
  if (isTag(text)) return { tag: text };
  if (text.includes(":")) return { digest: checkedDigest(text) };
  throw new RegistryError("NAME_INVALID", { message: "invalid tag name", detail: { tag: text } });
}

/**
 * @param path without its query
 * @param within the prefix of the repositories: of the `ns` parameter, by which containerd's mirrors say whose name it is
 * @returns undefined for a path that the specification does not have
 * @throws NAME_INVALID, DIGEST_INVALID
 */
export function routeOf(path: string, within?: string): Route | undefined {
  const segments = segmentsOf(path);
  if (segments === undefined || segments[0] !== "" || segments[1] !== "v2") return undefined;
  const words = segments.slice(2);
  if (words.length === 0 || (words.length === 1 && words[0] === "")) return { kind: "base" };
  if (words.length === 1 && words[0] === "_catalog") return { kind: "catalog" };
  const [last = "", before = "", third = ""] = words.toReversed();
  const repository = (count: number): string => {
    const own = words.slice(0, -count).join("/");
    const name = within === undefined ? own : `${within}/${own}`;
    if (isName(own) && isName(name)) return name;
    throw new RegistryError("NAME_INVALID", { detail: { name } });
  };
  if (third === "blobs" && before === "uploads") {
    if (last === "") return { kind: "uploads", repository: repository(3) };
    if (idShape.test(last)) return { kind: "upload", repository: repository(3), id: last };
    throw new RegistryError("BLOB_UPLOAD_UNKNOWN");
  }
  if (before === "blobs" && last === "uploads") return { kind: "uploads", repository: repository(2) };
  if (before === "blobs") return { kind: "blob", repository: repository(2), digest: checkedDigest(last) };
  if (before === "manifests") return { kind: "manifest", repository: repository(2), reference: referenceOf(last) };
  if (before === "referrers") return { kind: "referrers", repository: repository(2), digest: checkedDigest(last) };
  if (before === "tags" && last === "list") return { kind: "tags", repository: repository(2) };
  return undefined;
}
