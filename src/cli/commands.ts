import type { Entry } from "./command.ts";

/** A verb: its name, what it says of itself, every path that it has, and how its file is loaded. */
const verb = (name: string, summary: string, paths: string, load: NonNullable<Entry["load"]>, more: Partial<Entry> = {}): Entry => ({
  name,
  summary,
  load,
  ...(paths === "" ? {} : { paths: paths.split(", ") }),
  ...more,
});

/** Files that do several verbs export one command for each. */
const actions = (name: "pause" | "unpause" | "stop" | "restart" | "kill" | "wait") => async () => ({
  command: (await import("./verbs/container-actions.ts"))[name],
});
const prune = (name: "containers" | "images" | "networks" | "volumes" | "system") => async () => ({
  command: (await import("./verbs/prune.ts"))[name],
});
const contexts =
  (name: "create" | "exportContext" | "importContext" | "inspect" | "ls" | "rm" | "show" | "update" | "use") => async () => ({
    command: (await import("./verbs/contexts.ts"))[name],
  });
const completion = (name: "answer" | "bashScript" | "zshScript" | "fishScript") => async () => ({
  command: (await import("./verbs/completion.ts"))[name],
});
const volumes = (name: "create" | "ls" | "inspect" | "rm" | "update") => async () => ({
  command: (await import("./verbs/volumes.ts"))[name],
});

const imageGc = (name: "gc" | "pin" | "unpin") => async () => ({ command: (await import("./verbs/image-gc.ts"))[name] });
const trust = (name: "inspect" | "sign" | "verify") => async () => ({ command: (await import("./verbs/trust.ts"))[name] });

const networks = (name: "create" | "connect" | "disconnect" | "inspect" | "ls" | "rm") => async () => ({
  command: (await import("./verbs/networks.ts"))[name],
});
const manifests = (name: "annotate" | "create" | "inspect" | "push" | "rm") => async () => ({
  command: (await import("./verbs/manifests.ts"))[name],
});

const run = verb("run", "Create and run a new container from an image", "container run, run", () => import("./verbs/run.ts"));
const exec = verb("exec", "Run a command in a running container", "container exec, exec", () => import("./verbs/exec.ts"));
const ps = verb("ps", "List containers", "container ls, container list, container ps, ps", () => import("./verbs/ps.ts"));
const pull = verb("pull", "Download an image from a registry", "image pull, pull", () => import("./verbs/pull.ts"));
const push = verb("push", "Upload an image to a registry", "image push, push", () => import("./verbs/push.ts"));
const search = verb("search", "Search Docker Hub, or another registry, for images", "", () => import("./verbs/search.ts"));
const login = verb("login", "Log in to a registry", "", async () => ({ command: (await import("./verbs/login.ts")).login }));
const logout = verb("logout", "Log out of a registry", "", async () => ({ command: (await import("./verbs/login.ts")).logout }));
const images = verb("images", "List images", "image ls, image list, images", () => import("./verbs/images.ts"));
const version = verb("version", "Show the versions of client and server", "", () => import("./verbs/version.ts"));
const info = verb("info", "Show what the engine is and has", "system info, info", () => import("./verbs/info.ts"));
const events = verb("events", "Follow what happens in the engine", "system events, events", () => import("./verbs/events.ts"));

/** Verbs of containers that stand both at the top and in their group. */
const container: readonly Entry[] = [
  verb("attach", "Attach to the streams of a running container", "container attach, attach", () => import("./verbs/attach.ts")),
  verb("commit", "Make an image of a container's changes", "container commit, commit", () => import("./verbs/commit.ts")),
  verb("cp", "Copy files between a container and this machine", "container cp, cp", () => import("./verbs/cp.ts")),
  verb("create", "Create a new container", "container create, create", () => import("./verbs/create.ts")),
  verb("diff", "Show what a container has changed in its files", "container diff, diff", () => import("./verbs/diff.ts")),
  verb("export", "Write a container's files as a tar archive", "container export, export", () => import("./verbs/export.ts")),
  verb("kill", "Send a signal to containers", "container kill, kill", actions("kill")),
  verb("logs", "Show the logs of a container", "container logs, logs", () => import("./verbs/logs.ts")),
  verb("pause", "Pause all processes of containers", "container pause, pause", actions("pause")),
  verb("port", "List the published ports of a container", "container port, port", () => import("./verbs/port.ts")),
  verb("rename", "Give a container another name", "container rename, rename", () => import("./verbs/rename.ts")),
  verb("restart", "Restart containers", "container restart, restart", actions("restart")),
  verb("rm", "Remove containers", "container rm, container remove, rm", () => import("./verbs/rm.ts")),
  verb("start", "Start stopped containers", "container start, start", () => import("./verbs/start.ts")),
  verb("stats", "Show what containers use, live", "container stats, stats", () => import("./verbs/stats.ts")),
  verb("stop", "Stop running containers", "container stop, stop", actions("stop")),
  verb("top", "Show the processes of a container", "container top, top", () => import("./verbs/top.ts")),
  verb("unpause", "Let paused containers go on", "container unpause, unpause", actions("unpause")),
  verb("update", "Change the limits of containers", "container update, update", () => import("./verbs/update.ts")),
  verb("wait", "Wait until containers stop, then print their exit codes", "container wait, wait", actions("wait")),
];

const image: readonly Entry[] = [
  verb("history", "Show the history of an image", "image history, history", () => import("./verbs/history.ts")),
  verb("import", "Make an image of a tar of a file system", "image import, import", () => import("./verbs/import.ts")),
  verb("load", "Load images from a tar archive or STDIN", "image load, load", () => import("./verbs/load.ts")),
  verb("save", "Save images to a tar archive (STDOUT by default)", "image save, save", () => import("./verbs/save.ts")),
  verb("tag", "Give an image another name", "image tag, tag", () => import("./verbs/tag.ts")),
];

const rmi = verb("rmi", "Remove images", "image rm, image remove, rmi", () => import("./verbs/rmi.ts"));
const inspect = verb(
  "inspect",
  "Show all that is known of containers, images, networks and volumes",
  "",
  () => import("./verbs/inspect.ts"),
);

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
      verb("prune", "Remove all stopped containers", "", prune("containers")),
    ],
  },
  {
    name: "image",
    summary: "Manage images",
    entries: [
      ...image,
      pull,
      push,
      { ...images, name: "ls", aliases: ["list"] },
      { ...rmi, name: "rm", aliases: ["remove"] },
      verb("inspect", "Show all that is known of images", "", () => import("./verbs/inspect-image.ts")),
      verb("prune", "Remove unused images", "", prune("images")),
      verb("gc", "Remove images that were not used for long", "", imageGc("gc")),
      verb("pin", "Keep images from the collector", "", imageGc("pin")),
      verb("unpin", "Let the collector have images again", "", imageGc("unpin")),
      verb("layers", "Show what each layer of an image adds, changes and hides", "", () => import("./verbs/image-layers.ts")),
      verb("diff", "Show in what two images differ", "", () => import("./verbs/image-diff.ts")),
    ],
  },
  {
    name: "context",
    summary: "Manage contexts",
    entries: [
      verb("create", "Create a context", "", contexts("create")),
      verb("export", "Export a context to a tar archive FILE or a tar stream on STDOUT.", "", contexts("exportContext")),
      verb("import", "Import a context from a tar file", "", contexts("importContext")),
      verb("inspect", "Show all that is known of contexts", "", contexts("inspect")),
      verb("ls", "List contexts", "context ls, context list", contexts("ls"), { aliases: ["list"] }),
      verb("rm", "Remove contexts", "context rm, context remove", contexts("rm"), { aliases: ["remove"] }),
      verb("show", "Print the name of the current context", "", contexts("show")),
      verb("update", "Update a context", "", contexts("update")),
      verb("use", "Set the current context", "", contexts("use")),
    ],
  },
  {
    name: "network",
    summary: "Manage networks",
    entries: [
      verb("connect", "Connect a container to a network", "", networks("connect")),
      verb("create", "Create a network", "", networks("create")),
      verb("disconnect", "Take a container off a network", "", networks("disconnect")),
      verb("inspect", "Show all that is known of networks", "", networks("inspect")),
      verb("ls", "List networks", "network ls, network list", networks("ls"), { aliases: ["list"] }),
      verb("prune", "Remove unused networks", "", prune("networks")),
      verb("rm", "Remove networks", "network rm, network remove", networks("rm"), { aliases: ["remove"] }),
    ],
  },
  {
    name: "volume",
    summary: "Manage volumes",
    usage: "COMMAND",
    entries: [
      verb("create", "Create a volume", "", volumes("create")),
      verb("inspect", "Show all that is known of volumes", "", volumes("inspect")),
      verb("ls", "List volumes", "volume ls, volume list", volumes("ls"), { aliases: ["list"] }),
      verb("prune", "Remove unused volumes", "", prune("volumes")),
      verb("rm", "Remove volumes", "volume rm, volume remove", volumes("rm"), { aliases: ["remove"] }),
      verb("update", "Update a volume (cluster volumes only)", "", volumes("update")),
    ],
  },
  {
    name: "manifest",
    summary: "Manage lists of manifests: one name for images of several platforms",
    entries: [
      verb("annotate", "Say more of an image in a list, such as its platform", "", manifests("annotate")),
      verb("create", "Put a list of manifests together, to be annotated and pushed", "", manifests("create")),
      verb("inspect", "Show a manifest, or a list of them", "", manifests("inspect")),
      verb("push", "Push a list of manifests to a registry", "", manifests("push")),
      verb("rm", "Delete lists of manifests here", "", manifests("rm")),
    ],
  },
  {
    name: "registry",
    summary: "Run a registry of one's own",
    entries: [
      verb("gc", "Delete what nothing uses from the folder of a registry that is not running", "", () => import("./verbs/registry.ts")),
      verb("passwd", "Print a user's line for a registry's password file", "", () => import("./verbs/registry.ts")),
      verb("serve", "Run a registry in the foreground", "", () => import("./verbs/registry.ts")),
    ],
  },
  {
    name: "trust",
    summary: "Sign images, and verify who did",
    entries: [
      verb("inspect", "Show the signatures of images", "", trust("inspect")),
      verb("sign", "Sign an image with a private key", "", trust("sign")),
      verb("verify", "Verify an image's signatures with public keys", "", trust("verify")),
    ],
  },
  {
    name: "system",
    summary: "Manage the engine",
    entries: [
      info,
      events,
      verb("df", "Show what takes how much space", "", () => import("./verbs/df.ts")),
      verb("dial-stdio", "Join standard input and output to the daemon's socket", "", () => import("./verbs/dial-stdio.ts"), {
        hidden: true,
      }),
      verb("prune", "Remove unused data", "", prune("system")),
      verb("shutdown", "End the daemon; containers go on running", "", () => import("./verbs/shutdown.ts")),
    ],
  },
];

export const commands: readonly Entry[] = [
  ...[run, exec, ps, pull, push, images, version, info].map((entry): Entry => ({ ...entry, common: true })),
  ...groups,
  ...container,
  ...image,
  rmi,
  inspect,
  events,
  login,
  logout,
  search,
  {
    name: "completion",
    summary: "Print a script that teaches a shell berth's commands, flags and names",
    entries: [
      verb("bash", "For bash: source <(berth completion bash)", "", completion("bashScript")),
      verb("fish", "For fish: berth completion fish | source", "", completion("fishScript")),
      verb("zsh", "For zsh: source <(berth completion zsh)", "", completion("zshScript")),
    ],
  },
  verb("__complete", "Complete a command line", "", completion("answer"), { hidden: true }),
  { name: "daemon", summary: "Run the daemon in the foreground (berthd)", load: () => import("./verbs/daemon.ts") },
];
