# What create answers, and what inspect says of what was created.
docker create --name aa busybox true
docker inspect aa
docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Ports}} {{.Networks}} {{.Mounts}} {{.LocalVolumes}}'
docker ps
docker ps -a
docker create --name aa busybox true
docker create --name -x busybox true
docker create --name a/b busybox true
docker create --name '' busybox true
docker rm $(docker ps -lq)
docker create --pull never nosuch true
docker create busybox
docker create --name bb -e A=1 -l x=y -l empty -w /work -u user -h host --domainname dom --entrypoint sh --stop-signal USR1 --stop-timeout 3 --mac-address 02:42:ac:11:00:09 --expose 80 --expose 90-91/udp -i -t busybox -c 'exit 0'
docker inspect -f '{{json .Config}}' bb
docker create --name cc --network none -m 64m --memory-reservation 32m --memory-swap 128m --cpus 0.5 --cpu-shares 100 --cpuset-cpus 0 --pids-limit 50 --blkio-weight 0 --oom-score-adj 100 --ulimit nofile=100:200 --ulimit nproc=50 --cap-add NET_ADMIN --cap-add sys_time --cap-drop MKNOD --sysctl kernel.msgmax=70000 --security-opt no-new-privileges --tmpfs /t:size=1m --shm-size 8m --read-only --init --restart on-failure:3 --add-host hh:1.2.3.4 --dns 1.1.1.1 --dns-search dd --dns-option ndots:1 --group-add 7 --device /dev/null:/dev/n:r --ipc private --uts host --log-opt max-size=10k --log-opt max-file=2 busybox true
docker inspect -f '{{json .HostConfig}}' cc
docker create --name dd --privileged --pid host --cgroupns host --userns host --storage-opt x=y busybox true
docker create --name dd --privileged --pid host --cgroupns host --ipc host --oom-kill-disable=false busybox true
docker inspect -f '{{json .HostConfig}}' dd
docker create --name ee --annotation a=b --runtime runc busybox true
docker inspect -f '{{.HostConfig.Annotations}} {{.HostConfig.Runtime}}' ee
docker create --name ff -P -p 127.0.0.1:18080:80 -p 9000-9001:90-91/udp -p 81 busybox true
docker inspect -f '{{json .HostConfig.PortBindings}} {{.HostConfig.PublishAllPorts}} {{json .Config.ExposedPorts}}' ff
docker port ff
docker inspect -s -f '{{.SizeRw}} {{.State.Status}} {{.State.Pid}} {{.State.ExitCode}} {{json .State.Error}} {{.State.StartedAt}} {{.State.FinishedAt}}' aa
docker inspect nosuch
docker inspect aa nosuch -f '{{.Name}}'
docker container inspect nosuch
docker inspect -f '{{.Nosuch}}' aa
docker inspect --type image aa
docker inspect --type volume aa
docker rm aa bb cc ee ff dd
docker rm aa
docker rm aa nosuch
docker ps -a -q
