# start, stop, restart, kill, pause, rename, rm, wait
docker create --name aa --network none busybox sh -c 'trap "exit 3" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 0.05; done'
docker start aa
docker start aa
docker ps --format '{{.Names}} {{.State}} {{.Status}}'
docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.ExitCode}} {{.RestartCount}} {{.State.FinishedAt}}' aa
docker pause aa
docker pause aa
docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}}' aa
docker ps --format '{{.Names}} {{.State}} {{.Status}}'
docker exec aa true
docker start aa
docker restart -t 0 aa
until [ $(docker logs aa | wc -l) = 2 ]; do sleep 0.1; done
docker unpause aa
docker pause aa
docker kill -s USR1 aa
docker rm aa
docker unpause aa
docker unpause aa
docker kill -s USR1 aa
until [ $(docker logs aa | wc -l) = 4 ]; do sleep 0.1; done
docker logs aa
docker kill -s NOSUCH aa
docker kill -s 99 aa
docker kill -s 0 aa
docker kill -s SIGUSR1 aa
docker kill -s 10 aa
docker rename aa
docker rename aa bb
docker rename bb bb
docker rename nosuch cc
docker rename bb ''
docker rename bb bad/name
docker inspect -f '{{.Name}}' bb
docker stop bb
docker stop bb
docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}' bb
docker ps -a --format '{{.Names}} {{.State}} {{.Status}}'
docker kill bb
docker pause bb
docker unpause bb
docker wait bb
docker restart bb
docker rm bb
docker stop -t 0 -s KILL bb
docker wait bb
docker start bb nosuch
docker stop -t nosuch bb
docker stop -s NOSUCH bb
docker rm -f bb
docker rm -f bb
docker rm bb
docker start bb
docker stop bb
docker restart bb
docker kill bb
docker pause bb
docker unpause bb
docker wait bb
docker rename bb cc
docker attach bb
docker exec bb true
docker logs bb
docker top bb
docker stats --no-stream bb
docker port bb
docker diff bb
docker update -m 64m bb
docker cp bb:/x .
docker export bb
docker commit bb
docker create --name x1 busybox true
docker create --name x2 busybox true
docker rename x1 x2
docker start x1 x2
docker wait x1 x2
docker start -a x1
docker start -a x1 x2
docker start -i x1
docker rm x1 x2
docker create --name stubborn --network none --stop-timeout 1 busybox sh -c 'trap "" TERM; while :; do sleep 0.1; done'
docker start stubborn
docker stop stubborn
docker inspect -f '{{.State.ExitCode}} {{.Config.StopTimeout}}' stubborn
docker rm stubborn
docker run -d --name sig --network none --stop-signal RTMIN+3 busybox sh -c 'trap "exit 5" USR2; echo ready; while :; do sleep 0.05; done'
docker inspect -f '{{.Config.StopSignal}}' sig
until docker logs sig | grep -q ready; do sleep 0.1; done
docker kill -s USR2 sig
docker wait sig
docker rm sig
