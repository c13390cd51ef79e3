/** /proc and /sys files that tell of the host or other containers, or let one reach them: Docker's list (28.x), in its order. */
export const defaultMaskedPaths: readonly string[] = [
  ..."acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats".split(" ").map((name) => `/proc/${name}`),
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

export const defaultReadonlyPaths: readonly string[] = "bus fs irq sys sysrq-trigger".split(" ").map((name) => `/proc/${name}`);
