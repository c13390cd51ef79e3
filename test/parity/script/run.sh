# Output, streams and exit codes of run.
docker run --rm busybox echo hi
docker run --rm --network none busybox sh -c 'echo out; echo err >&2; exit 7'
echo in | docker run -i --rm busybox cat
echo in | docker run --rm busybox cat
docker run --rm busybox sh -c 'kill -9 $$' 
docker run --rm --init busybox sh -c 'kill -9 $$; sleep 1'
docker run --rm busybox false
docker run --rm busybox nosuch
docker run --rm busybox /nosuch
docker run --rm busybox /etc/passwd
docker run --rm busybox /etc
docker run --rm busybox ''
docker run --rm --entrypoint '' busybox echo xx
docker run --rm --entrypoint '' busybox
docker run --rm --entrypoint /nosuch busybox xx
docker run --rm -w /etc/passwd busybox pwd
docker run --rm -w /made/by/run busybox pwd
docker run --rm -u nosuch busybox id
docker run --rm -u 1000 busybox id
docker run --rm -u user busybox id
docker run --rm -u 5:6 busybox id
docker run --rm -u user:nosuch busybox id
docker run --rm -u 99999999999 busybox id
docker run --rm --group-add extra --group-add 42 busybox id
docker run --rm busybox id
docker run --rm -h name --domainname example.org busybox sh -c 'hostname; hostname -f; cat /etc/hostname; grep name /etc/hosts | cut -f2'
docker run --rm --network none -h name -e A=1 -e B=2 --env A=3 busybox env | sort
docker run --rm --network none -t busybox tty
docker run --rm --network none -e TERM=x -t -h hh busybox env
docker run --rm --network none busybox cat /etc/hosts /etc/resolv.conf | grep -v '^nameserver\|^search\|^#\|^$'
docker run --rm --dns 9.9.9.9 --dns-search a.b --dns-option ndots:3 busybox grep -v '^#\|^$' /etc/resolv.conf
docker run --rm --add-host aa:1.2.3.4 --add-host bb:::1 --network none busybox tail -2 /etc/hosts
docker run --rm --network none busybox ip -o link
docker run --rm --network none busybox ls -l /dev | awk '{print $1,$3,$4,$NF}' 
docker run --rm --network none busybox sh -c 'ls /dev/fd /dev/stdin /dev/shm /dev/pts -d'
docker run --rm --network none busybox mount | awk '{print $3}' | sort
docker run --rm --network none busybox sh -c 'mount | grep " on /proc\| on /sys " | sort'
docker run --rm --network none busybox sh -c 'grep -E "^(Cap|NoNew|Seccomp)" /proc/self/status'
docker run --rm --network none --privileged busybox sh -c 'grep -E "^(NoNew|Seccomp:)" /proc/self/status'
docker run --rm --network none --cap-drop ALL --cap-add CHOWN busybox grep Cap /proc/self/status
docker run --rm --network none -u user busybox grep Cap /proc/self/status
docker run --rm --network none --cap-add ALL --cap-drop SYS_ADMIN busybox grep CapBnd /proc/self/status
docker run --rm --network none --ulimit nofile=64:128 --ulimit core=0 busybox sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
docker run --rm --network none --sysctl net.ipv4.ip_unprivileged_port_start=7 busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start
docker run --rm --network none --sysctl net.ipv4.nosuch=7 busybox true
docker run --rm --network none --read-only busybox touch /x
docker run --rm --network none --read-only --tmpfs /t:size=64k,mode=700 busybox sh -c 'touch /t/x && df -k /t | tail -1 | tr -s " " | cut -d" " -f2,6; stat -c %a /t'
docker run --rm --network none --shm-size 1m busybox df -k /dev/shm
docker run --rm --network none --oom-score-adj 77 busybox cat /proc/self/oom_score_adj
docker run --rm --network none --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7; do sleep 1 & done; wait' 2>&1 | grep -c fork
docker run --rm --network none --device /dev/null:/dev/mine:r busybox sh -c 'ls -l /dev/mine | cut -c1-10; echo xx >/dev/mine'
docker run --rm --network none --device /nosuch busybox true
docker run --rm --network none --gpus all busybox true
docker run --rm --network nosuch busybox true
docker run --rm --pull never nosuch true
docker run --name twice busybox true
docker run --name twice busybox true
docker run -d --rm --name gone busybox sleep 100
docker stop -t 0 gone
until ! docker inspect gone >/dev/null 2>&1; do sleep 0.1; done
docker ps -a --format '{{.Names}}'
docker run --rm --cidfile cid busybox true
wc -c <cid
docker run --rm --cidfile cid busybox true
docker run --rm --network none --stop-signal KILL --uts host busybox true
docker run --rm --network none -m 16m busybox tail /dev/zero
docker run -d --name streams --network none busybox sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done'
docker run -d -a stdout busybox true
docker run --rm -a stdout --network none busybox sh -c 'echo out; echo err >&2'
docker run --rm -a stderr --network none busybox sh -c 'echo out; echo err >&2'
docker run --rm -d --network none -p 80:80/nosuch busybox true
docker run --rm --network none -e BAD busybox env | grep -c BAD
docker run --rm --network none --env-file nosuch busybox env
docker run --rm --pid container:streams busybox ps -o comm | sort
docker run --rm --network container:streams busybox ip -o link
docker run --rm --ipc container:streams busybox true
docker run --rm --network container:twice busybox true
docker stop streams
docker run --rm --network container:streams busybox true
docker run --rm --pid container:streams busybox true
docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Dead}} {{json .State.Error}}' streams
docker run --rm --security-opt seccomp=unconfined --security-opt apparmor=unconfined --network none busybox grep Seccomp: /proc/self/status
docker run --rm --security-opt no-new-privileges:true --network none busybox grep NoNew /proc/self/status
docker run --rm --cgroupns private --network none busybox cat /proc/self/cgroup | sed 's/^[0-9]*://' | sort
docker run --name failed busybox nosuch
docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{json .State.Error}} {{.State.StartedAt}} {{.State.FinishedAt}}' failed
docker start failed
docker start -a failed
docker rm twice streams failed
