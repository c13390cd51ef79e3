/**
 * The AppArmor profile that containers run under where the kernel has AppArmor and the host its parser: a second line
 * behind masks, capabilities and seccomp. Syntax: apparmor.d(5). It lets a container do what it likes with its own files
 * and denies the kernel's: mounts, writes to /proc and /sys, memory of the machine, and crypto sockets in whichever way
 * they are asked for (seccomp cannot look into socketcall(2); CVE-2026-31431).
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";

export const profileName = "berth-default";

const profile = `profile ${profileName} flags=(attach_disconnected,mediate_deleted) {
  network,
  deny network alg,
  capability,
  file,
  umount,
  deny mount,
  signal (receive) peer=unconfined,
  signal (send,receive) peer=${profileName},
  ptrace (trace,read,tracedby,readby) peer=${profileName},
  deny /proc/* w,
  deny /proc/{acpi,asound,bus,driver,fs,irq,scsi,tty}/** w,
  deny /proc/sys/[^kn]** w,
  deny /proc/sys/kernel/[^sm]** w,
  deny /proc/{kcore,sysrq-trigger,mem,kmem} rwklx,
  deny /sys/{block,bus,class,dev,devices,firmware,hypervisor,kernel,module,power}/** wklx,
  deny /sys/fs/[^c]** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;

/** Is the kernel's AppArmor on? */
export async function hasAppArmor(): Promise<boolean> {
  return (await readFile("/sys/module/apparmor/parameters/enabled", "utf8").catch(() => "")).trim() === "Y";
}

/**
 * Loads the profile, or replaces the one of an earlier daemon: once, when a daemon starts.
 * @returns what the parser said when it could not, else undefined
 */
export async function loadDefaultProfile(): Promise<string | undefined> {
  return await new Promise((done) => {
    const parser = spawn("apparmor_parser", ["--replace", "--skip-cache"], { stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    parser.stderr.on("data", (chunk: Buffer) => {
      if (said.length < 4096) said += chunk.toString();
    });
    parser.stdin.on("error", () => {}); // it may end without reading
    parser.on("error", (error) => done(error.message));
    parser.on("close", (status) => done(status === 0 ? undefined : said.trim() || `apparmor_parser ended with ${status}`));
    parser.stdin.end(profile);
  });
}
