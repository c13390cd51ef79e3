/**
 * Docker's default seccomp policy as a table of facts: which system calls a container may make, by subject, and
 * which only with a capability, on an architecture, or with certain arguments. Everything else fails with EPERM.
 * Braces stand for their alternatives: `dup{,2,3}` is dup, dup2 and dup3. A test holds the expansion against
 * Docker's own profile; {@link additions} names what is stricter here.
 */
export const allowedAlways: Readonly<Record<string, string>> = {
  descriptors: `
    close close_range dup{,2,3} fcntl{,64} flock ioctl {open,openat,openat2} creat pipe{,2} {,_new}select pselect6{,_time64}
    {,p}poll ppoll_time64 epoll_{create,create1,ctl,ctl_old,pwait,pwait2,wait,wait_old} eventfd{,2} signalfd{,4}
    timerfd_{create,gettime,gettime64,settime,settime64} memfd_{create,secret}`,
  "reading and writing": `
    {,p}readv {,p}writev read write p{read,write}64 p{read,write}v2 lseek _llseek readahead copy_file_range sendfile{,64}
    splice tee vmsplice fadvise64{,_64} sync syncfs {f,fdata,m}sync sync_file_range {,f}truncate{,64} fallocate
    io_{cancel,destroy,getevents,setup,submit} io_pgetevents{,_time64}`,
  "files by name": `
    access faccessat{,2} {,f}chdir {,f}chmod fchmodat{,2} {,f,l}chown{,32} fchownat getcwd getdents{,64} link{,at} mkdir{,at}
    mknod{,at} readlink{,at} rename{,at,at2} rmdir symlink{,at} unlink{,at} umask {,l,f}stat{,64} fstatat64 newfstatat statx
    {,f}statfs{,64} statmount listmount utime utimes futimesat utimensat{,_time64} name_to_handle_at
    {,f,l}{get,list,remove,set}xattr {get,list,remove,set}xattrat inotify_{add_watch,init,init1,rm_watch} fanotify_mark`,
  memory: `
    brk m{,un}map mmap2 mremap mprotect madvise mincore m{,un}lock m{,un}lockall mlock2 mseal remap_file_pages membarrier
    map_shadow_stack pkey_{alloc,free,mprotect} process_mrelease cachestat`,
  processes: `
    {,v}fork execve execveat exit{,_group} wait4 waitid waitpid kill tkill tgkill pause prctl seccomp
    landlock_{add_rule,create_ruleset,restrict_self} getpid getppid gettid get{pgid,pgrp,sid} setpgid setsid
    {get,set}_robust_list {get,set}_thread_area set_tid_address rseq restart_syscall pidfd_{open,send_signal} getcpu getrusage
    {get,set}rlimit ugetrlimit prlimit64 {get,set}priority ioprio_{get,set} times sysinfo uname getrandom riscv_hwprobe uretprobe
    futex{,_requeue,_time64,_wait,_waitv,_wake}`,
  scheduling: `
    sched_{get,set}affinity sched_{get,set}attr sched_{get,set}param sched_{get,set}scheduler sched_get_priority_{max,min}
    sched_rr_get_interval{,_time64} sched_yield`,
  identity: `
    get{,e}{u,g}id{,32} getres{u,g}id{,32} getgroups{,32} set{u,g}id{,32} setre{u,g}id{,32} setres{u,g}id{,32} setfs{u,g}id{,32}
    setgroups{,32} capget capset`,
  signals: `
    rt_sig{action,pending,procmask,queueinfo,return,suspend,timedwait} rt_sigtimedwait_time64 rt_tgsigqueueinfo
    sig{altstack,procmask,return} alarm`,
  time: `
    adjtimex clock_adjtime{,64} clock_get{res,time} clock_getres_time64 clock_gettime64 clock_nanosleep{,_time64} nanosleep time
    gettimeofday {get,set}itimer timer_{create,delete,getoverrun} timer_{get,set}time{,64}`,
  sockets: `
    accept{,4} bind connect listen shutdown get{sock,peer}name {get,set}sockopt recv{,from,msg} recvmmsg{,_time64}
    send{,to,msg,mmsg} socketpair socketcall`,
  messages: `
    ipc mq_{getsetattr,notify,open,unlink} mq_timed{receive,send}{,_time64} msg{ctl,get,rcv,snd} sem{ctl,get,op}
    semtimedop{,_time64} shm{at,ctl,dt,get}`,
};

/** Since Linux 4.8 seccomp also sees what a tracer makes of a call, so that tracing one's own processes is no way around it. */
export const allowedSince: readonly { readonly kernel: string; readonly names: string }[] = [
  { kernel: "4.8", names: "process_vm_{readv,writev} ptrace" },
];

/** By capability: what the kernel itself allows only with it. */
export const allowedWith: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: "open_by_handle_at",
  CAP_SYS_ADMIN: `
    bpf clone clone3 fanotify_init fs{config,mount,open,pick} lookup_dcookie lsm_{get_self_attr,list_modules,set_self_attr} mount
    mount_setattr move_mount open_tree perf_event_open quotactl{,_fd} set{domain,host}name setns syslog umount{,2} unshare`,
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYS_MODULE: "{delete,init,finit}_module",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: "kcmp pidfd_getfd process_madvise process_vm_{readv,writev} ptrace",
  CAP_SYS_RAWIO: "iopl ioperm",
  CAP_SYS_TIME: "settimeofday stime clock_settime{,64}",
  CAP_SYS_TTY_CONFIG: "vhangup",
  CAP_SYS_NICE: "get_mempolicy mbind set_mempolicy{,_home_node}",
  CAP_SYSLOG: "syslog",
  CAP_BPF: "bpf",
  CAP_PERFMON: "perf_event_open",
};

/** By architecture, as Go names it (GOARCH). */
export const allowedOn: readonly { readonly architectures: string; readonly names: string }[] = [
  { architectures: "ppc64le", names: "sync_file_range2 swapcontext" },
  {
    architectures: "arm arm64",
    names: "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
  },
  { architectures: "amd64 x32", names: "arch_prctl" },
  { architectures: "amd64 x32 x86", names: "modify_ldt" },
  { architectures: "s390 s390x", names: "s390_pci_mmio_{read,write} s390_runtime_instr" },
  { architectures: "riscv64", names: "riscv_flush_icache" },
];

/** personality(2): Linux, Linux with UNAME26 or PER_LINUX32, both, and the question what it is. */
export const personalities: readonly number[] = [0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** clone(2) without CAP_SYS_ADMIN: none of CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}. clone3 passes its flags in memory, out of sight: ENOSYS makes libc fall back. */
export const cloneNamespaces = 0x7e020000;

/** socket(2) families that are out of reach: AF_VSOCK (not namespaced) as with Docker, and AF_ALG. */
export const deniedFamilies: { readonly docker: readonly number[]; readonly all: readonly number[] } = {
  docker: [40],
  all: [38, 40],
};

/** Where this policy is stricter than the one it is compared with, and why. */
export const additions: readonly { readonly what: string; readonly why: string }[] = [
  { what: "socket(AF_ALG)", why: "CVE-2026-31431: the kernel's crypto sockets write into the page cache of read-only files" },
];
