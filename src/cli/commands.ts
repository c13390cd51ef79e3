import type { Entry } from "./command.ts";

/** Every verb: where it stands, what it says of itself, and the file that does it. */
const verb = (name: string, summary: string, paths: string, load: NonNullable<Entry["load"]>, more: Partial<Entry> = {}): Entry => ({
  name,
  summary,
  load,
  ...(paths === "" ? {} : { paths: paths.split(", ") }),
  ...more,
});

const run = verb("run", "Create and run a new container from an image", "container run, run", () => import("./verbs/run.ts"));
const exec = verb("exec", "Run a command in a running container", "container exec, exec", () => import("./verbs/exec.ts"));
const ps = verb("ps", "List containers", "container ls, container list, container ps, ps", () => import("./verbs/ps.ts"));
const pull = verb("pull", "Download an image from a registry", "image pull, pull", () => import("./verbs/pull.ts"));
const images = verb("images", "List images", "image ls, image list, images", () => import("./verbs/images.ts"));
const version = verb("version", "Show the versions of client and server", "", () => import("./verbs/version.ts"));
const info = verb("info", "Show what the engine is and has", "system info, info", () => import("./verbs/info.ts"));
const events = verb("events", "Follow what happens in the engine", "system events, events", () => import("./verbs/events.ts"));

const container: readonly Entry[] = [
  verb("attach", "Attach to the streams of a running container", "container attach, attach", () => import("./verbs/attach.ts")),
  verb("create", "Create a new container", "container create, create", () => import("./verbs/create.ts")),
  verb("kill", "Send a signal to containers", "container kill, kill", () => import("./verbs/kill.ts")),
  verb("logs", "Show the logs of a container", "container logs, logs", () => import("./verbs/logs.ts")),
  verb("port", "List the published ports of a container", "container port, port", () => import("./verbs/port.ts")),
  verb("rename", "Give a container another name", "container rename, rename", () => import("./verbs/rename.ts")),
  verb("restart", "Restart containers", "container restart, restart", () => import("./verbs/restart.ts")),
  verb("rm", "Remove containers", "container rm, container remove, rm", () => import("./verbs/rm.ts")),
  verb("start", "Start stopped containers", "container start, start", () => import("./verbs/start.ts")),
  verb("stop", "Stop running containers", "container stop, stop", () => import("./verbs/stop.ts")),
  verb("top", "Show the processes of a container", "container top, top", () => import("./verbs/top.ts")),
  verb("wait", "Wait until containers stop, then print their exit codes", "container wait, wait", () => import("./verbs/wait.ts")),
];

const image: readonly Entry[] = [
  verb("history", "Show the history of an image", "image history, history", () => import("./verbs/history.ts")),
  verb("import", "Make an image of a tar of a file system", "image import, import", () => import("./verbs/import.ts")),
  verb("load", "Load images from a tar archive or STDIN", "image load, load", () => import("./verbs/load.ts")),
  verb("save", "Save images to a tar archive (STDOUT by default)", "image save, save", () => import("./verbs/save.ts")),
  verb("tag", "Give an image another name", "image tag, tag", () => import("./verbs/tag.ts")),
];

const rmi = verb("rmi", "Remove images", "image rm, image remove, rmi", () => import("./verbs/rmi.ts"));
const inspect = verb("inspect", "Show all that is known of containers, images and networks", "", () => import("./verbs/inspect.ts"));

const groups: readonly Entry[] = [
  {
    name: "container",
    summary: "Manage containers",
    entries: [
      run,
      exec,
      ...container.map((entry) => (entry.name === "rm" ? { ...entry, aliases: ["remove"] } : entry)),
      { ...ps, name: "ls", aliases: ["list", "ps"] },
      verb("inspect", "Show all that is known of containers", "", () => import("./verbs/inspect-container.ts")),
    ],
  },
  {
    name: "image",
    summary: "Manage images",
    entries: [
      ...image,
      pull,
      { ...images, name: "ls", aliases: ["list"] },
      { ...rmi, name: "rm", aliases: ["remove"] },
      verb("inspect", "Show all that is known of images", "", () => import("./verbs/inspect-image.ts")),
    ],
  },
  {
    name: "system",
    summary: "Manage the engine",
    entries: [info, events, verb("shutdown", "End the daemon; containers go on running", "", () => import("./verbs/shutdown.ts"))],
  },
];

export const commands: readonly Entry[] = [
  ...[run, exec, ps, pull, images, version, info].map((entry): Entry => ({ ...entry, common: true })),
  ...groups,
  ...container,
  ...image,
  rmi,
  inspect,
  events,
  { name: "daemon", summary: "Run the daemon in the foreground (berthd)", load: () => import("./verbs/daemon.ts") },
];
