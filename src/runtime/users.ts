/**
 * Who a process runs as: `--user` and `--group-add` against the root file system's /etc/passwd and /etc/group.
 * Formats: passwd(5), group(5). A number is always a number, never a name (CVE-2024-40635 and kin): what does not
 * fit into 31 bits, or is not written in decimal, is refused and never becomes user 0.
 */
import { EngineError, invalidParameter } from "../base/base.ts";

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first (CVE-2022-36109: a group without members there would otherwise not deny). */
  readonly groups: readonly number[];
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const maxId = 2 ** 31 - 1;
/** More of a hostile file is not read. */
const maxLines = 100_000;
const maxBytes = 4 << 20;

/** A decimal number in a file; an entry with anything else there is no entry. */
function idIn(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= maxId ? id : undefined;
}

function lines(file: Uint8Array | undefined): string[] {
  if (file === undefined) return [];
  return Buffer.from(file.subarray(0, maxBytes))
    .toString("utf8")
    .split("\n", maxLines)
    .map((line) => line.trim());
}

function parsePasswd(file: Uint8Array | undefined): PasswdEntry[] {
  return lines(file).flatMap((line) => {
    if (line === "" || line.startsWith("#")) return [];
    const [name = "", , uid, gid, , home = ""] = line.split(":");
    const uidNumber = idIn(uid);
    const gidNumber = idIn(gid);
    return uidNumber === undefined || gidNumber === undefined ? [] : [{ name, uid: uidNumber, gid: gidNumber, home }];
  });
}

function parseGroup(file: Uint8Array | undefined): GroupEntry[] {
  return lines(file).flatMap((line) => {
    if (line === "" || line.startsWith("#")) return [];
    const [name = "", , gid, members = ""] = line.split(":");
    const number = idIn(gid);
    return number === undefined ? [] : [{ name, gid: number, members: members.split(",").filter(Boolean) }];
  });
}

const isNumeric = (text: string): boolean => /^[+-]?\d+$/.test(text);

/** @throws InvalidParameter outside 0…2147483647 */
function numericId(text: string): number {
  const id = Number(text);
  if (!Number.isSafeInteger(id) || id < 0 || id > maxId || Object.is(id, -0))
    throw invalidParameter("uids and gids must be in range 0-2147483647");
  return id;
}

export interface AccountFiles {
  readonly passwd: Uint8Array | undefined;
  readonly group: Uint8Array | undefined;
}

/** What can be said of `--user` without the files: numbers in range. @throws InvalidParameter */
export function checkUserSyntax(user: string): void {
  for (const part of user.split(":")) if (isNumeric(part)) numericId(part);
}

function findUser(text: string, entries: readonly PasswdEntry[]): { uid: number; gid: number; home: string; name?: string } {
  if (text === "") {
    const root = entries.find((entry) => entry.uid === 0);
    return { uid: 0, gid: root?.gid ?? 0, home: root?.home ?? "/", ...(root === undefined ? {} : { name: root.name }) };
  }
  if (isNumeric(text)) {
    const uid = numericId(text);
    const entry = entries.find((one) => one.uid === uid);
    return { uid, gid: entry?.gid ?? 0, home: entry?.home ?? "/", ...(entry === undefined ? {} : { name: entry.name }) };
  }
  const entry = entries.find((one) => one.name === text);
  if (entry === undefined) throw invalidParameter(`unable to find user ${text}: no matching entries in passwd file`);
  return entry;
}

function findGroup(text: string, entries: readonly GroupEntry[]): number {
  if (isNumeric(text)) return numericId(text);
  const entry = entries.find((one) => one.name === text);
  if (entry === undefined) throw invalidParameter(`unable to find group ${text}: no matching entries in group file`);
  return entry.gid;
}

/**
 * @param user `name|uid[:group|gid]`, or "" for user 0
 * @param groupAdd names and numbers of further groups
 * @throws InvalidParameter in Docker's words
 */
export function resolveUser(user: string, groupAdd: readonly string[], files: AccountFiles): ResolvedUser {
  const colon = user.indexOf(":");
  const userText = colon < 0 ? user : user.slice(0, colon);
  const groupText = colon < 0 ? "" : user.slice(colon + 1);
  const groupEntries = parseGroup(files.group);
  const found = findUser(userText, parsePasswd(files.passwd));
  let gid = found.gid;
  let supplementary: number[] = [];
  if (groupText !== "") gid = findGroup(groupText, groupEntries);
  else if (found.name !== undefined) {
    const { name } = found;
    supplementary = groupEntries.filter((entry) => entry.members.includes(name)).map((entry) => entry.gid);
  }
  const added = groupAdd.map((text) => additionalGroup(text, groupEntries));
  return { uid: found.uid, gid, groups: [...new Set([gid, ...supplementary, ...added])], home: found.home || "/" };
}

function additionalGroup(text: string, entries: readonly GroupEntry[]): number {
  try {
    return findGroup(text, entries);
  } catch (error) {
    if (error instanceof EngineError && error.message.startsWith("unable to find group"))
      throw invalidParameter(`Unable to find group ${text}: no matching entries in group file`, error);
    throw error;
  }
}
