/** Where Berth does not answer as Docker 26.1 does, and why. An entry that is no longer needed fails the test. */
import { allowedOfNetworks } from "./allowed-networks.ts";
import { allowedOfRegistries } from "./allowed-registries.ts";
import type { AllowedDifference } from "./compare.ts";

const lines = (text: string, mark = ">"): string[] =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => `${mark} ${line}`);

const list = (paths: string, ending = ""): string[] => paths.split(" ").map((path) => `> "${path}"${ending}`);

/** One exit code for another, at one command. */
const exits = (where: string, docker: number, berth: number, reason: string): AllowedDifference => ({
  where,
  docker: [`= ${docker}`],
  berth: [`= ${berth}`],
  reason,
});

const driver = "the storage driver is Berth's own";
const endpoint = "Docker 28 has GwPriority, and DriverOpts in another place";
const notStarted =
  "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: " +
  "unable to start container process: error during container init:";
const wrongKind =
  "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";
const weight = "the kernel has BFQ's weight, which Docker does not look for";
const notFound = "since Docker 28 a program that is not found ends an exec with 127, as it does a run";

const maskedPaths: AllowedDifference = {
  docker: [
    ...list("/proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats", ","),
    ...list("/proc/sched_debug /proc/scsi /sys/firmware", ","),
    ...list("/sys/devices/virtual/powercap"),
  ],
  berth: [
    ...list("/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug", ","),
    ...list("/proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap", ","),
    ...list("/sys/firmware"),
  ],
  reason: "what Docker 28 masks, in its order",
};

export const allowed: readonly AllowedDifference[] = [
  {
    where: "image-filters: tar -C r1 -c . | docker import -c 'EXPOSE x' - bad:1",
    docker: ["! Error response from daemon: Invalid containerPort: x"],
    berth: ["! Error response from daemon: invalid containerPort: x"],
    reason: "as Docker 28 writes it",
  },
  {
    where: "images-2",
    docker: ["> Error response from daemon: Invalid containerPort: 99999"],
    berth: ["> Error response from daemon: invalid containerPort: 99999"],
    reason: "as Docker 28 writes it",
  },
  { docker: ['> Driver: "overlay2",'], berth: ['> Driver: "erofs",'], reason: driver },
  { docker: ['> Name: "overlay2"'], berth: ['> Name: "erofs"'], reason: driver },
  {
    docker: ["> DockerVersion: <version>,"],
    berth: ['> DockerVersion: "",'],
    reason: "images do not carry the version of the engine that made them",
  },
  maskedPaths,
  {
    docker: lines('Aliases: null,\nMacAddress: "",'),
    berth: lines('Aliases: null,\nMacAddress: "",\nDriverOpts: null,\nGwPriority: 0,'),
    reason: endpoint,
  },
  {
    docker: lines("GlobalIPv6PrefixLen: 0,\nDriverOpts: null,"),
    berth: lines("GlobalIPv6PrefixLen: 0,"),
    reason: endpoint,
  },
  {
    docker: ["> SandboxKey: <sandbox>,"],
    berth: ['> SandboxKey: "",'],
    reason: "a network namespace has no file of its own: it is reached through the container's first process, and ends with it",
  },
  exits("exec: docker exec -w /nosuch aa pwd", 126, 127, notFound),
  exits("exec: docker exec aa nosuch", 126, 127, notFound),
  exits("exec: docker exec aa /nosuch/x", 126, 127, notFound),
  exits("exec: docker exec aa ''", 126, 127, notFound),
  {
    where: "run",
    docker: ["> /proc/fs"],
    berth: ["> /proc/fs", "> /proc/interrupts"],
    reason: maskedPaths.reason,
  },
  {
    where: "run",
    docker: ["> /sys/fs/cgroup/systemd"],
    berth: [],
    reason: "the hierarchy that has no controllers is not shown inside",
  },
  {
    where: "run",
    docker: ["> tmpfs on /proc/acpi type tmpfs (ro,relatime)"],
    berth: [
      "> tmpfs on /proc/acpi type tmpfs (ro,nosuid,nodev,noexec,relatime)",
      "> tmpfs on /proc/interrupts type tmpfs (rw,nosuid,size=65536k,mode=755)",
    ],
    reason: "masked directories are as strict as the rest of /proc",
  },
  {
    where: "images: docker save -o s.tar imported:v1 busybox; tar -tf s.tar | grep -c .",
    docker: ["> 14"],
    berth: ["> 12"],
    reason: "Docker writes a configuration in the first image format for each layer as well",
  },
  ...["dir:/etc/passwd", "single:/etc"].map((bind) => {
    const [source = "", target = ""] = bind.split(":");
    const begin = `! docker: Error response from daemon: ${notStarted} error mounting "<work>/${source}" to rootfs at "${target}": `;
    const end = `not a directory: unknown: ${wrongKind}`;
    const docker =
      source === "dir"
        ? "create mount destination for /etc/passwd mount: cannot mkdir in <root>/overlay2/<id>/merged/etc/passwd"
        : `mount <work>/${bind} (via /proc/self/fd/6), flags: 0x5000`;
    return {
      where: `mounts: docker run --rm --network none -v $PWD/${bind} busybox true`,
      docker: [`${begin}${docker}: ${end}`],
      berth: [`${begin}mount <work>/${bind}, flags: 0x5000: ${end}`],
      reason: "Docker tells of its runtime's steps, of which Berth has fewer",
    };
  }),
  ...["MergedDir", "UpperDir", "WorkDir"].map((key) => ({
    where: "other",
    docker: [`> "${key}":`],
    berth: [],
    reason: "an image has no mounts of its own",
  })),
  { where: "other", docker: ['> "KernelMemoryTCP":'], berth: [], reason: "kernel memory has no limit of its own" },
  { where: "other", docker: ['> "status":'], berth: [], reason: "there is no runtime program that tells its features" },
  {
    where: "other: docker run --rm --ip 10.9.8.7 busybox true",
    docker: [
      "! * user specified IP address is supported on user defined networks only",
      "! * user specified IP address is supported only when connecting to networks with user configured subnets",
    ],
    berth: ["! user-specified IP address is supported on user-defined networks only"],
    reason: "Docker 28's words",
  },
  {
    docker: ["! open <root>/tmp/docker-import-<number>/repositories: no such file or directory"],
    berth: ["! unrecognized image format: the archive has neither a manifest.json nor an index.json"],
    reason: "Docker names a file of its own",
  },
  {
    where: "system",
    docker: [
      '> ["awslogs","fluentd","gcplogs","gelf","journald","json-file","local","splunk","syslog"] ["bridge","host","ipvlan","macvlan","null","overlay"] false',
    ],
    berth: ['> ["fluentd","gelf","journald","json-file","local","syslog"] ["bridge","host","ipvlan","macvlan","null","overlay"] true'],
    reason: "the drivers that Berth has; its containers outlive the daemon always",
  },
  {
    where: "run",
    docker: ["> fe00::0\tip6-localnet", "> ff00::0\tip6-mcastprefix"],
    berth: ["> fe00::\tip6-localnet", "> ff00::\tip6-mcastprefix"],
    reason: "the spelling of Docker 28",
  },
  {
    where: "create-refused: docker create -v / busybox true",
    docker: ["> <id>", "= 0"],
    berth: ["! Error response from daemon: invalid volume specification: '/': invalid specification: destination can't be '/'", "= 1"],
    reason: "what cannot be started is refused at once, as a bind on / is",
  },
  {
    where: "create-refused: docker create --tmpfs /t:nosuch busybox true",
    docker: ["> <id>", "= 0"],
    berth: ['! Error response from daemon: invalid tmpfs option ["nosuch"]', "= 1"],
    reason: "what cannot be started is refused at once",
  },
  {
    where: "create-refused: docker create --blkio-weight 5 busybox true",
    docker: ["> <id>", "! WARNING: Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.", "= 0"],
    berth: ["! Error response from daemon: Range of blkio weight is from 10 to 1000", "= 1"],
    reason: weight,
  },
  {
    where: "update: docker update --blkio-weight 5 aa",
    docker: ["> aa", "> Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.", "= 0"],
    berth: ["! Error response from daemon: Range of blkio weight is from 10 to 1000", "= 1"],
    reason: weight,
  },
  ...["images", "commit"].map((where) => ({
    where,
    docker: ["> Data: <data>,"],
    berth: ["> Data: {},"],
    reason: "an image has no mounts of its own",
  })),
  ...[
    [['Hostname: "<short id 3.2>",'], ['Hostname: "",']],
    [
      ["AttachStdout: true,", "AttachStderr: true,"],
      ["AttachStdout: false,", "AttachStderr: false,"],
    ],
    [['Image: "busybox",'], ['Image: "",']],
    [
      ['"sha256:<id 3.3>",', '"sha256:<id 3.4>"'],
      ['"sha256:<id 3.2>",', '"sha256:<id 3.3>"'],
    ],
  ].map(([docker = [], berth = []]) => ({
    where: "commit",
    docker: docker.map((line) => `> ${line}`),
    berth: berth.map((line) => `> ${line}`),
    reason: "an image keeps nothing of the container that it was made from but what its own configuration has",
  })),
  {
    where: "create-refused: docker create --ipc container: busybox true",
    docker: ["> <id>", "= 0"],
    berth: ["! Error response from daemon: invalid IPC mode: container:", "= 1"],
    reason: "no container has the empty name: such a container would never start",
  },
  ...allowedOfNetworks,
  ...allowedOfRegistries,
];
