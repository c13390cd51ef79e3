/**
 * `docker rmi`, by Docker's rules: a name is untagged; the image goes with its last name, unless it is in use;
 * an id removes image and name at once when all its names are of one repository. What cannot be forced: images
 * that others were made from, and images that run. The platforms under a name go together, unless one is asked for.
 */
import { conflict, type Digest, familiarString, parseReference, shortId } from "../base/base.ts";
import type { ImageDeleteResponseItem, Platform } from "../spec/spec.ts";
import { chainIds } from "./chain.ts";
import { familiarOf, isIdPrefix, rowName } from "./resolve.ts";
import type { Found, ImageStore, StoredImage } from "./store.ts";

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
  options: { force: boolean; noPrune: boolean; platform?: Platform },
): Promise<ImageDeleteResponseItem[]> {
  const removal: Removal = { force: options.force, prune: !options.noPrune, records: [], events: [] };
  store.rows.durably(() => {
    const found = store.find(reference, options.platform);
    if (isIdPrefix(found.image.id, reference)) removeById(store, found.image, removal);
    else if (options.platform !== undefined && found.platforms.length > 1) removePlatform(store, found, removal);
    else removeByName(store, reference, found, removal);
  });
  for (const { action, id, image } of removal.events) store.publish(action, id, id, image);
  await store.custody.deleteDoomed();
  return removal.records;
}

function removeByName(store: ImageStore, reference: string, { image, platforms }: Found, removal: Removal): void {
  const name = rowName(parseReference(reference));
  for (const { id, references } of removal.force ? [] : platforms) {
    const user = store.ports.usedBy(id)[0];
    if (user === undefined || !isOneReference(references)) continue;
    const familiar = JSON.stringify(familiarString(parseReference(reference)));
    const why = `container ${shortId(user.id)} is using its referenced image ${shortId(id)}`;
    throw conflict(`conflict: unable to remove repository reference ${familiar} (must force) - ${why}`);
  }
  untag(store, image, name, removal);
  for (const each of platforms) dropLonelyDigests(store, each, name, removal);
  deleteNameless(store, [image, ...platforms], removal);
}

function removeById(store: ImageStore, image: StoredImage, removal: Removal): void {
  const look = { soft: !removal.force, references: false };
  let others: StoredImage[] = [];
  if (isOneReference(image.references)) {
    for (const { id } of [image, ...othersWith(store, image)]) refuse(findConflict(store, id, look));
    others = dropNames(store, image, removal);
  }
  deleteImage(store, image.id, removal, false);
  deleteNameless(store, others, removal);
}

/** Takes one platform from under all names that stand for the index. */
function removePlatform(store: ImageStore, { image, index }: Found, removal: Removal): void {
  refuse(findConflict(store, image.id, { soft: !removal.force, references: false }));
  if (index !== undefined) store.rows.leaveIndex(image.id, index);
  deleteNameless(store, [image], removal);
}

/** Those of these that have no name any more; what stands against it keeps them silently. */
function deleteNameless(store: ImageStore, images: readonly StoredImage[], removal: Removal): void {
  for (const { id } of images)
    if (store.rows.get(id)?.removed === false && store.rows.referencesOf(id).length === 0) deleteImage(store, id, removal, true);
}

/** The names that stand for this image when no platform is asked for. */
function ownNames(store: ImageStore, image: StoredImage): string[] {
  return image.references.filter((name) => store.find(familiarOf(name)).image.id === image.id);
}

/** The other platforms that go when the image does by which its names are known. */
function othersWith(store: ImageStore, image: StoredImage): StoredImage[] {
  const all = ownNames(store, image).flatMap((name) => store.find(familiarOf(name)).platforms);
  return [...new Map(all.map((other) => [other.id, other])).values()].filter(({ id }) => id !== image.id);
}

/** Its own names go; from under others, where it is one platform of several, only it does. @returns the images that lost a name with it */
function dropNames(store: ImageStore, image: StoredImage, removal: Removal): StoredImage[] {
  const others = othersWith(store, image);
  for (const name of ownNames(store, image)) untag(store, image, name, removal);
  for (const name of store.rows.referencesOf(image.id)) {
    const index = store.rows.targetOf(name)?.index;
    if (index !== undefined) store.rows.leaveIndex(image.id, index);
  }
  return others;
}

const repositoryOfName = (name: string): string => (name.includes("@") ? name.slice(0, name.indexOf("@")) : name.replace(/:[^/:]*$/, ""));

/** At most one tag, and digests of no other repository than its. */
function isOneReference(names: readonly string[]): boolean {
  if (names.length <= 1) return true;
  const tags = names.filter((name) => !name.includes("@"));
  return tags.length <= 1 && new Set(names.map(repositoryOfName)).size === 1;
}

function untag(store: ImageStore, image: StoredImage, name: string, removal: Removal): void {
  store.rows.unpoint(name);
  removal.records.push({ Untagged: familiarOf(name) });
  removal.events.push({ action: "untag", id: image.id, image });
}

/** With a repository's last tag its digests go too: nobody could say what they are for. */
function dropLonelyDigests(store: ImageStore, image: StoredImage, name: string, removal: Removal): void {
  if (name.includes("@")) return;
  const same = store.rows.referencesOf(image.id).filter((other) => repositoryOfName(other) === repositoryOfName(name));
  if (same.some((other) => !other.includes("@"))) return;
  for (const digest of same) untag(store, image, digest, removal);
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
  const others = dropNames(store, image, removal);
  removal.records.push({ Deleted: id });
  removal.events.push({ action: "delete", id, image });
  if (store.ports.usedBy(id).length > 0) store.rows.hide(id);
  else for (const chainId of removeWithLayers(store, image)) removal.records.push({ Deleted: chainId });
  const parent = image.row.parentId;
  if (removal.prune && parent !== undefined && store.get(parent)?.row.removed === false)
    deleteImage(store, parent, { ...removal, force: false }, true);
  deleteNameless(store, others, removal);
}

/** @returns the chain ids of the layers that went, topmost first: Docker's names for them */
function removeWithLayers(store: ImageStore, image: StoredImage): Digest[] {
  const gone = new Set(store.removeRow(image.id));
  const diffIds = image.config.rootfs.diff_ids;
  const chain = chainIds(diffIds);
  return chain.filter((_, position) => gone.has(diffIds[position] as Digest)).reverse();
}
