/**
 * `docker rmi`, by Docker's rules: a name is untagged; the image goes with its last name, unless it is in use;
 * an id removes image and name at once when all its names are of one repository. What cannot be forced: images
 * that others were made from, and images that run.
 */
import { conflict, type Digest, familiarString, parseReference, shortId } from "../base/base.ts";
import type { ImageDeleteResponseItem } from "../spec/spec.ts";
import { chainIds } from "./chain.ts";
import { familiarOf, isIdPrefix, resolveId, rowName } from "./resolve.ts";
import type { ImageStore, StoredImage } from "./store.ts";

interface Removal {
  readonly force: boolean;
  readonly prune: boolean;
  readonly records: ImageDeleteResponseItem[];
  /** Published once the transaction is through. */
  readonly events: { action: "untag" | "delete"; id: Digest; image: StoredImage }[];
}

export async function removeImage(
  store: ImageStore,
  reference: string,
  options: { force: boolean; noPrune: boolean },
): Promise<ImageDeleteResponseItem[]> {
  const removal: Removal = { force: options.force, prune: !options.noPrune, records: [], events: [] };
  store.rows.durably(() => removeFound(store, reference, removal));
  for (const { action, id, image } of removal.events) store.publish(action, id, id, image);
  await store.custody.deleteDoomed();
  return removal.records;
}

function removeFound(store: ImageStore, reference: string, removal: Removal): void {
  const id = resolveId(store.rows, reference);
  const names = store.rows.referencesOf(id);
  if (!isIdPrefix(id, reference)) {
    const name = rowName(parseReference(reference));
    const user = store.ports.usedBy(id)[0];
    if (!removal.force && user !== undefined && isOneReference(names)) {
      const familiar = JSON.stringify(familiarString(parseReference(reference)));
      const why = `container ${shortId(user.id)} is using its referenced image ${shortId(id)}`;
      throw conflict(`conflict: unable to remove repository reference ${familiar} (must force) - ${why}`);
    }
    untag(store, id, name, removal);
    dropLonelyDigests(store, id, name, removal);
    if (store.rows.referencesOf(id).length > 0) return;
    deleteImage(store, id, removal, true);
    return;
  }
  if (isOneReference(names)) {
    refuse(findConflict(store, id, { soft: !removal.force, references: false }));
    for (const name of names) untag(store, id, name, removal);
  }
  deleteImage(store, id, removal, false);
}

const repositoryOfName = (name: string): string => (name.includes("@") ? name.slice(0, name.indexOf("@")) : name.replace(/:[^/:]*$/, ""));

/** At most one tag, and digests of no other repository than its. */
function isOneReference(names: readonly string[]): boolean {
  if (names.length <= 1) return true;
  const tags = names.filter((name) => !name.includes("@"));
  return tags.length <= 1 && new Set(names.map(repositoryOfName)).size === 1;
}

function untag(store: ImageStore, id: Digest, name: string, removal: Removal): void {
  const image = store.get(id);
  store.rows.unpoint(name);
  removal.records.push({ Untagged: familiarOf(name) });
  if (image !== undefined) removal.events.push({ action: "untag", id, image });
}

/** With a repository's last tag its digests go too: nobody could say what they are for. */
function dropLonelyDigests(store: ImageStore, id: Digest, name: string, removal: Removal): void {
  if (name.includes("@")) return;
  const same = store.rows.referencesOf(id).filter((other) => repositoryOfName(other) === repositoryOfName(name));
  if (same.some((other) => !other.includes("@"))) return;
  for (const digest of same) untag(store, id, digest, removal);
}

interface Conflict {
  readonly message: string;
  readonly used: boolean;
}

function refuse(found: Conflict | undefined): void {
  if (found !== undefined) throw conflict(found.message);
}

/** Why the image may not be deleted. `soft`: reasons that force overrules count as well. */
function findConflict(store: ImageStore, id: Digest, look: { soft: boolean; references: boolean }): Conflict | undefined {
  const because = (force: string, reason: string, used: boolean): Conflict => ({
    message: `conflict: unable to delete ${shortId(id)} (${force} be forced) - ${reason}`,
    used,
  });
  if (store.rows.childrenOf(id).length > 0) return because("cannot", "image has dependent child images", false);
  const users = store.ports.usedBy(id);
  const running = users.find((user) => user.running);
  if (running !== undefined) return because("cannot", `image is being used by running container ${shortId(running.id)}`, true);
  if (!look.soft) return undefined;
  if (look.references && store.rows.referencesOf(id).length > 0)
    return because("must", "image is referenced in multiple repositories", false);
  const stopped = users[0];
  return stopped === undefined ? undefined : because("must", `image is being used by stopped container ${shortId(stopped.id)}`, true);
}

/** `quiet`: a conflict keeps the image silently, unless it is a nameless one that nothing uses. */
function deleteImage(store: ImageStore, id: Digest, removal: Removal, quiet: boolean): void {
  const found = findConflict(store, id, { soft: !removal.force, references: true });
  const image = store.get(id);
  if (image === undefined) return;
  if (found !== undefined) {
    const isDangling = image.references.length === 0 && store.rows.childrenOf(id).length === 0;
    if (quiet && (!isDangling || found.used)) return;
    refuse(found);
  }
  for (const name of image.references) untag(store, id, name, removal);
  removal.records.push({ Deleted: id });
  removal.events.push({ action: "delete", id, image });
  if (store.ports.usedBy(id).length > 0) store.rows.hide(id);
  else for (const chainId of removeWithLayers(store, image)) removal.records.push({ Deleted: chainId });
  const parent = image.row.parentId;
  if (removal.prune && parent !== undefined && store.get(parent)?.row.removed === false)
    deleteImage(store, parent, { ...removal, force: false }, true);
}

/** @returns the chain ids of the layers that went, topmost first: Docker's names for them */
function removeWithLayers(store: ImageStore, image: StoredImage): Digest[] {
  const gone = new Set(store.removeRow(image.id));
  const diffIds = image.config.rootfs.diff_ids;
  const chain = chainIds(diffIds);
  return chain.filter((_, position) => gone.has(diffIds[position] as Digest)).reverse();
}
