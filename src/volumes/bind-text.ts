/** `-v` and `--volumes-from`: texts with colons. */
import { invalidParameter, messageOf } from "../base/base.ts";
import type { BindMount, Propagation, VolumeMountRequest } from "./mounts.ts";
import { isPropagation, parseBindMount, parseVolumeMount, targetOf } from "./parse-mount.ts";

type ModeKind = "access" | "label" | "propagation" | "copy" | "consistency";

function kindOf(word: string): ModeKind | undefined {
  if (word === "ro" || word === "rw") return "access";
  if (word === "z" || word === "Z") return "label";
  if (isPropagation(word)) return "propagation";
  if (word === "nocopy") return "copy";
  return word === "consistent" || word === "cached" || word === "delegated" ? "consistency" : undefined;
}

/** The words of a mode by what they are about, each at most once; undefined when it is no mode. "" is one of no words. */
function parseMode(mode: string): ReadonlyMap<ModeKind, string> | undefined {
  const words = new Map<ModeKind, string>();
  if (mode === "") return words;
  for (const word of mode.split(",")) {
    const kind = kindOf(word);
    if (kind === undefined || words.has(kind)) return undefined;
    words.set(kind, word);
  }
  return words;
}

/**
 * One of `HostConfig.Binds`: `source:target[:mode]`, or a target alone. A source that is no absolute path names a volume.
 * @param given `volumeDriver`: of `--volume-driver`
 */
export function parseBind(
  text: string,
  { volumeDriver = "", dataRoot }: { readonly volumeDriver?: string; readonly dataRoot?: string } = {},
): BindMount | VolumeMountRequest {
  const parts = text.split(":");
  const [first = "", second, mode = ""] = parts;
  if (first === "" || parts.length > 3 || (parts.length === 2 && second !== undefined && parseMode(second) !== undefined))
    throw invalidParameter(`invalid volume specification: '${text}'`);
  const words = parseMode(mode);
  if (words === undefined) throw invalidParameter(`invalid mode: ${mode}`);
  const source = second === undefined ? "" : first;
  const propagation = words.get("propagation") as Propagation | undefined;
  const isBind = source.startsWith("/");
  const common = { Source: source, Target: second ?? first, ReadOnly: words.get("access") === "ro" };
  const bindOptions = propagation === undefined ? {} : { BindOptions: { Propagation: propagation } };
  try {
    if (isBind) {
      const mount = { Type: "bind" as const, ...common, ...bindOptions };
      return { ...parseBindMount(mount, targetOf(mount), dataRoot), createSource: true, mode };
    }
    const mount = {
      Type: "volume" as const,
      ...common,
      ...bindOptions,
      VolumeOptions: { NoCopy: words.has("copy"), ...(volumeDriver === "" ? {} : { DriverConfig: { Name: volumeDriver } }) },
    };
    return { ...parseVolumeMount(mount, targetOf(mount)), mode };
  } catch (error) {
    throw invalidParameter(`invalid volume specification: '${text}': ${messageOf(error)}`, error);
  }
}

/** One of `HostConfig.VolumesFrom`: `container[:mode]`. */
export function parseVolumesFrom(text: string): { readonly container: string; readonly writable: boolean } {
  if (text === "") throw invalidParameter("volumes-from specification cannot be an empty string");
  const colon = text.indexOf(":");
  const mode = colon < 0 ? "" : text.slice(colon + 1);
  const words = parseMode(mode);
  if (words === undefined || words.has("propagation") || words.has("copy")) throw invalidParameter(`invalid mode: ${mode}`);
  return { container: colon < 0 ? text : text.slice(0, colon), writable: words.get("access") !== "ro" };
}
