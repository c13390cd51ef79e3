/**
 * The daemon's flags: dockerd's, by the same names, and Berth's own: `--docker-socket`,
 * `--default-publish-address`, `--image-gc-…`, `--publish-mode`, `--registry`, `--token-server`. Each says what it takes,
 * under which key the configuration file has it, and which values cannot be honoured: those are refused, for an
 * administrator who believes in a setting that has no effect is worse off than one who is told.
 */
import { isIP } from "node:net";

export type FlagKind = "switch" | "text" | "list" | "number" | "map";

export interface Flag {
  readonly name: string;
  readonly short?: string;
  readonly kind: FlagKind;
  /** Key in the configuration file; the flag's name unless given, null: only a flag. */
  readonly key?: string | null;
  /** What a value is called in the help. */
  readonly placeholder?: string;
  readonly help: string;
  /** Why a value (in text; of a list, one at a time) cannot be honoured, or undefined when it can. */
  readonly refuse?: (value: string) => string | undefined;
}

const never =
  (why: string): ((value: string) => string) =>
  () =>
    why;

const only =
  (allowed: readonly string[], why: string): ((value: string) => string | undefined) =>
  (value) =>
    allowed.includes(value) ? undefined : why;

/** At most one of each IP version. */
function isPublishAddress(texts: readonly string[]): boolean {
  const families = texts.map((text) => (text.includes("%") ? 0 : isIP(text.trim())));
  return families.every((family) => family !== 0) && new Set(families).size === families.length;
}

const noPlugins = never("Berth has no plugins");
const noSwarm = never("Berth has no swarm mode in this version");
const noContainerd = never("Berth needs no containerd");

export const flags: readonly Flag[] = [
  {
    name: "add-runtime",
    kind: "list",
    key: null,
    placeholder: "runtime",
    help: "Register an additional OCI compatible runtime",
    refuse: never("external OCI runtimes are not available in this version"),
  },
  {
    name: "allow-direct-routing",
    kind: "switch",
    help: "Allow remote access to published ports on container IP addresses",
  },
  { name: "authorization-plugin", kind: "list", key: "authorization-plugins", help: "Authorization plugins to load", refuse: noPlugins },
  { name: "bip", kind: "text", help: "IPv4 address for the default bridge" },
  { name: "bip6", kind: "text", help: "IPv6 address for the default bridge" },
  { name: "bridge", short: "b", kind: "text", help: "Attach containers to a network bridge (default berth0; none: no default bridge)" },
  {
    name: "bridge-accept-fwmark",
    kind: "text",
    help: "In bridge networks, accept packets with this firewall mark",
    refuse: never("firewall marks are not available in this version"),
  },
  {
    name: "cdi-spec-dir",
    kind: "list",
    key: "cdi-spec-dirs",
    help: "CDI specification directories to use",
    refuse: never("CDI devices are not available in this version"),
  },
  { name: "cgroup-parent", kind: "text", help: "Set parent cgroup for all containers (default /berth)" },
  { name: "config-file", kind: "text", key: null, help: "Daemon configuration file (default /etc/berth/daemon.json)" },
  { name: "containerd", kind: "text", help: "containerd grpc address", refuse: noContainerd },
  { name: "containerd-namespace", kind: "text", help: "Containerd namespace to use", refuse: noContainerd },
  {
    name: "containerd-plugins-namespace",
    kind: "text",
    key: "containerd-plugin-namespace",
    help: "Containerd namespace to use for plugins",
    refuse: noContainerd,
  },
  { name: "cpu-rt-period", kind: "number", help: "Limit the CPU real-time period in microseconds for the parent cgroup" },
  { name: "cpu-rt-runtime", kind: "number", help: "Limit the CPU real-time runtime in microseconds for the parent cgroup" },
  {
    name: "cri-containerd",
    kind: "switch",
    key: null,
    help: "start containerd with cri",
    refuse: only(["false"], "Berth needs no containerd"),
  },
  { name: "data-root", kind: "text", help: "Root directory of persistent Berth state (default /var/lib/berth)" },
  { name: "debug", short: "D", kind: "switch", help: "Enable debug mode" },
  {
    name: "default-address-pool",
    kind: "list",
    key: "default-address-pools",
    placeholder: "pool-options",
    help: "Default address pools for node specific local networks",
  },
  {
    name: "default-cgroupns-mode",
    kind: "text",
    help: "Default mode for containers cgroup namespace (host | private)",
    refuse: only(["host", "private"], "must be host or private"),
  },
  { name: "default-gateway", kind: "text", placeholder: "ip", help: "Default gateway IPv4 address for the default bridge network" },
  {
    name: "default-gateway-v6",
    kind: "text",
    placeholder: "ip",
    help: "Default gateway IPv6 address for the default bridge network",
  },
  {
    name: "default-ipc-mode",
    kind: "text",
    help: "Default mode for containers ipc (shareable | private)",
    refuse: only(["private"], "the default is private in this version; docker run --ipc=shareable can be given"),
  },
  {
    name: "default-network-opt",
    kind: "list",
    key: "default-network-opts",
    placeholder: "mapmap",
    help: "Default network options",
  },
  { name: "default-pids-limit", kind: "number", help: "Default limit of processes of a container; 0 is none" },
  {
    name: "default-publish-address",
    kind: "text",
    placeholder: "ip[,ip]",
    help: "Host IPs for port publishing from any network: one, or an IPv4 and an IPv6 address (default 0.0.0.0, with [::])",
    refuse: (value) => (isPublishAddress(value.split(",")) ? undefined : "an IP address is needed, or one of IPv4 and one of IPv6"),
  },
  {
    name: "default-runtime",
    kind: "text",
    help: "Default OCI runtime for containers (default runc)",
    refuse: only(["runc"], "external OCI runtimes are not available in this version"),
  },
  { name: "default-shm-size", kind: "text", placeholder: "bytes", help: "Default shm size for containers (default 64MiB)" },
  { name: "default-ulimit", kind: "list", key: "default-ulimits", placeholder: "ulimit", help: "Default ulimits for containers" },
  { name: "dns", kind: "list", help: "DNS server to use" },
  { name: "dns-opt", kind: "list", key: "dns-opts", help: "DNS options to use" },
  { name: "dns-search", kind: "list", help: "DNS search domains to use" },
  { name: "docker-socket", kind: "switch", help: "Listen on /var/run/docker.sock as well" },
  {
    name: "exec-opt",
    kind: "list",
    key: "exec-opts",
    help: "Runtime execution options",
    refuse: only(["native.cgroupdriver=cgroupfs"], "only native.cgroupdriver=cgroupfs is known"),
  },
  { name: "exec-root", kind: "text", help: "Root directory for execution state files (default /run/berth)" },
  {
    name: "experimental",
    kind: "switch",
    help: "Enable experimental features",
    refuse: only(["false"], "Berth has no experimental features"),
  },
  {
    name: "firewall-backend",
    kind: "text",
    help: "Firewall backend to use, nftables",
    refuse: only(["", "nftables"], "only nftables is known"),
  },
  { name: "fixed-cidr", kind: "text", help: "IPv4 subnet for the default bridge network" },
  { name: "fixed-cidr-v6", kind: "text", help: "IPv6 subnet for the default bridge network" },
  { name: "group", short: "G", kind: "text", help: "Group for the unix socket (default docker)" },
  { name: "help", short: "h", kind: "switch", key: null, help: "Print usage" },
  { name: "host", short: "H", kind: "list", key: "hosts", help: "Daemon socket(s) to connect to (default unix:///run/berth/berth.sock)" },
  {
    name: "host-gateway-ip",
    kind: "list",
    key: "host-gateway-ips",
    placeholder: "ip",
    help: "IP addresses that the special 'host-gateway' string in --add-host resolves to (default the default bridge's)",
  },
  { name: "http-proxy", kind: "text", key: null, help: "HTTP proxy URL to use for outgoing traffic" },
  { name: "https-proxy", kind: "text", key: null, help: "HTTPS proxy URL to use for outgoing traffic" },
  {
    name: "icc",
    kind: "switch",
    help: "Enable inter-container communication for the default bridge network (default true)",
  },
  { name: "init", kind: "switch", help: "Run an init in the container to forward signals and reap processes" },
  { name: "init-path", kind: "text", help: "Path to the docker-init binary", refuse: never("Berth's init is built in") },
  { name: "insecure-registry", kind: "list", key: "insecure-registries", help: "Enable insecure registry communication" },
  {
    name: "ip",
    kind: "text",
    placeholder: "ip",
    help: "Host IP for port publishing from the default bridge network (default 0.0.0.0)",
    refuse: (value) => (isPublishAddress([value]) ? undefined : "an IP address is needed"),
  },
  { name: "ip-forward", kind: "switch", help: "Enable IP forwarding in the host (default true)" },
  { name: "ip-forward-no-drop", kind: "switch", help: "Do not set the filter-FORWARD policy to DROP when enabling IP forwarding" },
  { name: "ip-masq", kind: "switch", help: "Enable IP masquerading for the default bridge network (default true)" },
  { name: "ip6tables", kind: "switch", help: "Enable addition of IPv6 firewall rules (default true)" },
  {
    name: "iptables",
    kind: "switch",
    help: "Enable addition of firewall rules (default true)",
    refuse: only(["true"], "networks need their firewall rules; --bridge=none has neither"),
  },
  { name: "ipv6", kind: "switch", help: "Enable IPv6 networking for the default bridge network" },
  { name: "label", kind: "list", key: "labels", help: "Set key=value labels to the daemon" },
  {
    name: "live-restore",
    kind: "switch",
    help: "Containers outlive the daemon; always so",
    refuse: only(["true"], "containers always outlive the daemon; 'berth system shutdown --stop' ends both"),
  },
  {
    name: "log-driver",
    kind: "text",
    help: "Default driver for container logs (default json-file)",
  },
  { name: "log-format", kind: "text", help: "Set the logging format (text, json; default text)" },
  { name: "log-level", short: "l", kind: "text", help: "Set the logging level (debug, info, warn, error, fatal)" },
  { name: "log-opt", kind: "map", key: "log-opts", help: "Default log driver options for containers" },
  { name: "max-concurrent-downloads", kind: "number", help: "Set the max concurrent downloads (default 3)" },
  { name: "max-concurrent-uploads", kind: "number", help: "Set the max concurrent uploads (default 5)" },
  { name: "max-download-attempts", kind: "number", help: "Set the max download attempts for each pull (default 5)" },
  { name: "metrics-addr", kind: "text", help: "Set default address and port to serve the metrics api on" },
  { name: "mtu", kind: "number", help: "Set the MTU for the default bridge network (default 1500)" },
  {
    name: "network-control-plane-mtu",
    kind: "number",
    help: "Network Control plane MTU (default 1500)",
    refuse: only(["1500"], "Berth has no swarm mode in this version"),
  },
  { name: "no-new-privileges", kind: "switch", help: "Set no-new-privileges by default for new containers" },
  { name: "no-proxy", kind: "text", key: null, help: "Comma-separated list of hosts or IP addresses for which the proxy is skipped" },
  { name: "node-generic-resource", kind: "list", key: "node-generic-resources", help: "Advertise user-defined resource", refuse: noSwarm },
  {
    name: "oom-score-adjust",
    kind: "number",
    help: "Set the oom_score_adj for the daemon",
    refuse: only(["0"], "the score is left to whoever starts the daemon"),
  },
  { name: "pidfile", short: "p", kind: "text", help: "Path to use for daemon PID file (default /run/berth/berthd.pid)" },
  {
    name: "publish-mode",
    kind: "text",
    help: "forward: published ports are passed to containers; input: they are the host's, under its own firewall's rules for INPUT",
    refuse: only(["forward", "input"], "must be forward or input"),
  },
  {
    name: "raw-logs",
    kind: "switch",
    help: "Full timestamps without ANSI coloring; always so",
    refuse: only(["true"], "the log is never coloured"),
  },
  {
    name: "registry",
    kind: "text",
    placeholder: "host:port",
    help: "Serve a registry there, kept in the data root; 'berth registry serve' has logins, TLS and more",
  },
  { name: "image-gc-interval", kind: "text", key: null, help: "Time between two collections of images (default 10m)" },
  { name: "image-gc-keep-storage", kind: "text", key: null, help: "Collect the longest unused images beyond this size" },
  { name: "image-gc-min-free", kind: "text", key: null, help: "Collect images while less than this, a size or per cent, is free" },
  { name: "image-gc-pin", kind: "list", key: null, help: "Names of images that are never collected, as shell patterns" },
  { name: "image-gc-unused-for", kind: "text", key: null, help: "Collect images that were not used for this time" },
  { name: "registry-mirror", kind: "list", key: "registry-mirrors", help: "Preferred registry mirror" },
  {
    name: "rootless",
    kind: "switch",
    help: "Enable rootless mode",
    refuse: only(["false"], "rootless mode is not available in this version"),
  },
  {
    name: "seccomp-profile",
    kind: "text",
    help: "Path to seccomp profile (default builtin)",
    refuse: only(
      ["", "builtin", "default"],
      "another default profile cannot be set in this version; docker run --security-opt seccomp=FILE can",
    ),
  },
  {
    name: "selinux-enabled",
    kind: "switch",
    help: "Enable selinux support",
    refuse: only(["false"], "SELinux labels are not available in this version"),
  },
  { name: "shutdown-timeout", kind: "number", help: "Seconds that a daemon that ends waits for its clients (default 15)" },
  {
    name: "storage-driver",
    short: "s",
    kind: "text",
    help: "Storage driver to use (erofs, overlay2)",
    refuse: only(["", "erofs", "overlay2"], "the storage drivers are erofs and overlay2"),
  },
  {
    name: "storage-opt",
    kind: "list",
    key: "storage-opts",
    help: "Storage driver options",
    refuse: never("the storage drivers have no options"),
  },
  {
    name: "swarm-default-advertise-addr",
    kind: "text",
    help: "Set default address or interface for swarm advertised address",
    refuse: noSwarm,
  },
  { name: "tls", kind: "switch", help: "Use TLS; implied by --tlsverify" },
  {
    name: "token-server",
    kind: "list",
    key: "token-servers",
    help: "Hosts of token servers that registries of other domains may send credentials to",
  },
  { name: "tlscacert", kind: "text", help: "Trust certs signed only by this CA (default ~/.docker/ca.pem)" },
  { name: "tlscert", kind: "text", help: "Path to TLS certificate file (default ~/.docker/cert.pem)" },
  { name: "tlskey", kind: "text", help: "Path to TLS key file (default ~/.docker/key.pem)" },
  { name: "tlsverify", kind: "switch", help: "Use TLS and verify the remote" },
  { name: "userland-proxy", kind: "switch", help: "Use userland proxy for loopback traffic; Berth needs none" },
  { name: "userland-proxy-path", kind: "text", help: "Path to the userland proxy binary", refuse: never("Berth has no userland proxy") },
  {
    name: "userns-remap",
    kind: "text",
    help: "User/Group setting for user namespaces",
    refuse: only(["", "host"], "user namespaces for containers are not available in this version"),
  },
  { name: "validate", kind: "switch", key: null, help: "Validate daemon configuration and exit" },
  { name: "version", short: "v", kind: "switch", key: null, help: "Print version information and quit" },
];
