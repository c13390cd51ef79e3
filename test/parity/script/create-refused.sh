# Values that the daemon refuses.
docker create -m 1m busybox true
docker create -m 64m --memory-swap 32m busybox true
docker create --memory-swap 32m busybox true
docker create -m 64m --memory-reservation 128m busybox true
docker create --memory-reservation 1m busybox true
docker create --kernel-memory 1m busybox true
docker create --memory-swappiness 101 busybox true
docker create --cpus 99 busybox true
docker create --cpus 0.5 --cpu-quota 1000 busybox true
docker create --cpu-period 10 busybox true
docker create --cpu-quota 10 busybox true
docker create --cpuset-cpus 77 busybox true
docker create --cpuset-cpus xx busybox true
docker create --cpuset-mems 9 busybox true
docker create --pids-limit -5 busybox true
docker create --shm-size 0 busybox true
docker create --shm-size -1 busybox true
docker create --oom-score-adj 2000 busybox true
docker create --oom-kill-disable busybox true
docker create --restart sometimes busybox true
docker create --restart always:3 busybox true
docker create --restart on-failure:-1 busybox true
docker create --restart always --rm busybox true
docker create --cap-add NOSUCH busybox true
docker create --cap-drop NOSUCH busybox true
docker create --stop-signal NOSUCH busybox true
docker create --log-driver nosuch busybox true
docker create --log-opt nosuch=1 busybox true
docker create --log-opt max-size=x --name logopt busybox true
docker start logopt
docker create --log-driver none --log-opt max-size=1k busybox true
docker create --security-opt nosuch busybox true
docker create --security-opt nosuch=1 busybox true
docker create --security-opt seccomp=/nosuch busybox true
docker create --runtime nosuch busybox true
docker create --isolation hyperv busybox true
docker create --network none --network-alias xx busybox true
docker create --network container:nosuch busybox true
docker create --network host -p 80:80 --name pub busybox true
docker create --network container:pub -h other busybox true
docker create --network container:pub -p 80:80 busybox true
docker create --network container:pub --dns 1.1.1.1 busybox true
docker create --network container:pub --add-host aa:1.1.1.1 busybox true
docker create --network container:pub --mac-address 02:42:ac:11:00:09 busybox true
docker create --uts host -h xx busybox true
docker create --pid container:nosuch busybox true
docker create --ipc nosuch busybox true
docker create --ipc container: busybox true
docker create --cgroupns nosuch busybox true
docker create --userns nosuch busybox true
docker create --uts nosuch busybox true
docker create --pid nosuch busybox true
docker create -w relative busybox true
docker create -v relative/path:/x busybox true
docker create -v /x:relative busybox true
docker create -v /x:/ busybox true
docker create -v / busybox true
docker create -v /a:/b:nosuch busybox true
docker create -v /a:/b:ro,rw busybox true
docker create -v /a:/t -v /b:/t busybox true
docker create -v /a:/t --tmpfs /t busybox true
docker create --tmpfs /t:nosuch busybox true
docker create --tmpfs relative busybox true
docker create --mount type=bind,source=/nosuch/dir,target=/t busybox true
docker create --mount type=bind,source=relative,target=/t busybox true
docker create --mount type=bind,source=/tmp,target=relative busybox true
docker create --mount type=volume,source=a/b,target=/t busybox true
docker create --mount type=nosuch,source=/tmp,target=/t busybox true
docker create --mount type=tmpfs,source=/tmp,target=/t busybox true
docker create --mount type=bind,target=/t busybox true
docker create --mount type=volume,source=v busybox true
docker create --volumes-from nosuch busybox true
docker create --volumes-from pub:nosuch busybox true
docker create --link nosuch busybox true
docker create --sysctl nosuch=1 busybox true
docker create --network host --sysctl net.ipv4.ip_forward=1 --name sysctl busybox true
docker start sysctl
docker create --network container:nosuch --name joins busybox true
docker start joins
docker create --device /nosuch --name late busybox true
docker start late
docker create --gpus all --name gpu busybox true
docker start gpu
docker create --health-interval 1us --health-cmd true busybox true
docker create --health-retries -1 --health-cmd true busybox true
docker create --blkio-weight 5 busybox true
docker create --device-read-bps /nosuch:1mb --name bps busybox true
docker create --platform bad/plat/form/s busybox true
docker create --hostname bad_host! --name odd busybox true
docker create -u nosuch --name user busybox true
docker start user
docker create --ulimit nosuch=1 busybox true
docker create --cgroup-parent relative.slice --name slice busybox true
docker create --group-add nosuch --name grp busybox true
docker start grp
docker create --add-host bad busybox true
docker ps -a --format "{{.Names}} {{.State}}" | grep -v _
docker rm -v $(docker ps -aq) >/dev/null
