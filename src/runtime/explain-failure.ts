/**
 * Failures of a launch or an exec in Docker's words. The docker CLI takes its exit code from these words: `executable
 * file not found` and `no such file or directory` make 127, `permission denied` and `is a directory` 126, all else 125.
 */
import { constants } from "node:os";
import { errnoText } from "../base/base.ts";
import type { LaunchFailure } from "../kernel/kernel.ts";
import type { ExplainedFailure, ExplainFailure } from "./runtime.ts";

const { errno } = constants;

const refused = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed";
const created = `${refused}: unable to start container process`;
const duringInit = `${created}: error during container init`;
const inSession = "OCI runtime exec failed: exec failed: unable to start container process";

function explained(message: string, status: ExplainedFailure["status"], exitCode: ExplainedFailure["exitCode"] = 125): ExplainedFailure {
  return { message, exitCode, status };
}

/** The exit code follows from the words, as the CLI will read them. */
function byWords(message: string): ExplainedFailure {
  if (/executable file not found|no such file or directory/.test(message)) return explained(message, "InvalidParameter", 127);
  if (/permission denied|is a directory/.test(message)) return explained(message, "InvalidParameter", 126);
  return explained(message, "System");
}

/** What Go's exec.LookPath says of a program: by name along $PATH, or by path. */
function programWords(program: string, number: number): string {
  const quoted = JSON.stringify(program);
  if (number === errno.ENOENT)
    return program.includes("/")
      ? `exec: ${quoted}: stat ${program}: no such file or directory`
      : `exec: ${quoted}: executable file not found in $PATH`;
  if (number === errno.EACCES) return `exec: ${quoted}: permission denied`;
  if (number === errno.EISDIR) return `exec: ${quoted}: is a directory`;
  return `exec ${program}: ${errnoText(number)}`;
}

/** Go tells a directory apart from a file that may not be executed; the CLI's exit code hangs on the older words. */
const directoryHint = ": permission denied";

const wrongKind =
  "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";

/** `message`: the source and, on a line of its own, the target. */
function bindWords(message: string, number: number): string {
  const [source = "", target = ""] = message.split("\n");
  const hint = number === errno.ENOTDIR || number === errno.EISDIR ? `: ${wrongKind}` : "";
  const call = `mount ${source}:${target}, flags: 0x5000`; // MS_BIND | MS_REC
  return `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(target)}: ${call}: ${errnoText(number)}: unknown${hint}`;
}

/** `about` is the target, or `type on target`. */
function mountWords(about: string, number: number): string {
  const hint = number === errno.ENOTDIR || number === errno.EISDIR ? `: ${wrongKind}` : "";
  const [, type, target = about] = /^(\S+) on (.*)$/.exec(about) ?? [];
  const what = type === undefined ? "" : ` ${JSON.stringify(type)}`;
  return `error mounting${what} to rootfs at ${JSON.stringify(target)}: ${errnoText(number)}${hint}`;
}

/** Stages of exec sessions carry this mark, so that their failures are told apart from a container's. */
const sessionMark = "session/";

/** What Docker's runtime would not even begin with. */
export function runtimeRefused(why: string): string {
  return `${refused}: ${why}: unknown`;
}

/** The failure of an exec session, marked as such. */
export function sessionFailure(failure: LaunchFailure): LaunchFailure {
  return { ...failure, stage: sessionMark + failure.stage };
}

export const explainFailure: ExplainFailure = (failure: LaunchFailure): ExplainedFailure => {
  if (!failure.stage.startsWith(sessionMark)) return explainLaunch(failure);
  const result = explainLaunch({ ...failure, stage: failure.stage.slice(sessionMark.length) });
  return { ...result, message: result.message.replace(duringInit, inSession).replace(created, inSession) };
};

function explainLaunch({ stage, errno: number, message }: LaunchFailure): ExplainedFailure {
  const words = errnoText(number);
  switch (stage) {
    case "exec":
      return byWords(`${created}: ${programWords(message, number)}: unknown${number === errno.EISDIR ? directoryHint : ""}`);
    case "cwd":
      return byWords(`${duringInit}: chdir to cwd (${JSON.stringify(message)}) set in config.json failed: ${words}: unknown`);
    case "bind-port":
      return explained(
        `failed to set up container networking: driver failed programming external connectivity on endpoint: ${portWords(message, number)}`,
        "System",
      );
    case "open-tree":
      return byWords(`${duringInit}: error mounting ${JSON.stringify(message)}: ${words}: unknown`);
    case "subpath":
      return byWords(subpathWords(message, number));
    // move_mount(2) has no other word for a file on a directory, or a directory on a file, than EINVAL; mount(2) had ENOTDIR.
    case "attach-tree":
      return byWords(`${duringInit}: ${bindWords(message, number === errno.EINVAL ? errno.ENOTDIR : number)}`);
    case "mount":
    case "mount-attributes":
    case "device":
    case "symlink":
      return byWords(`${duringInit}: ${mountWords(message, number)}: unknown`);
    case "sysctl":
      return byWords(`${duringInit}: open /proc/sys/${message.replaceAll(".", "/")}: ${words}: unknown`);
    case "mkdir":
      if (number === errno.ENOTDIR || number === errno.EEXIST)
        return explained(`Cannot mkdir: ${message} is not a directory`, "InvalidParameter");
      return byWords(`${created}: mkdir ${message}: ${words}: unknown`);
    case "rlimit":
      return explained(
        `${duringInit}: error setting rlimits for ready process: error setting rlimit ${message}: ${words}: unknown`,
        "System",
      );
    case "apparmor":
      return byWords(`${duringInit}: unable to apply apparmor profile: apparmor failed to apply profile: ${message}: ${words}: unknown`);
    case "seccomp":
      return explained(`${duringInit}: error loading seccomp filter into kernel: ${words}: unknown`, "System");
    case "user":
    case "groups":
      return explained(`${duringInit}: unable to set the user: ${words}: unknown`, "System");
    case "write":
    case "device-program":
      return explained(`${created}: unable to apply cgroup configuration: failed to write ${message}: ${words}: unknown`, "System");
    default:
      return explained(`${created}: ${stage}${message === "" ? "" : ` ${message}`}: ${words}: unknown`, "System");
  }
}

/** `message`: the path below a volume or in an image. */
function subpathWords(message: string, number: number): string {
  if (number === errno.EXDEV || number === errno.ELOOP) return `path concatenation escapes the base directory: ${message}`;
  return `cannot access path ${message}: lstat ${message}: ${errnoText(number)}`;
}

/** `message`: `0.0.0.0:8080/tcp`. */
function portWords(message: string, number: number): string {
  if (number === errno.EADDRINUSE) return `failed to bind host port for ${message}: address already in use`;
  return `failed to bind host port for ${message}: ${errnoText(number)}`;
}
