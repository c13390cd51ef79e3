# logs and attach
docker run --name aa --network none busybox sh -c 'echo one; sleep 0.05; echo two >&2; sleep 0.05; printf three'
docker logs aa
docker logs -t aa | cut -c1-4
docker logs -n 1 aa
docker logs --tail 2 aa
docker logs --tail 0 aa
docker logs --tail all aa
docker logs --tail -1 aa
docker logs --tail nosuch aa
docker logs -f aa
docker logs --since 1h aa
docker logs --until 1h aa
docker logs --since 2001-01-01 --until 2001-01-02 aa
docker logs --since nosuch aa
docker logs --until nosuch aa
docker logs --details aa
docker start -a aa
docker logs aa
docker rm aa
docker run -d --name bb --network none -e K=v -l l=w --log-opt env=K --log-opt labels=l busybox sh -c 'echo line; sleep 100'
until docker logs bb | grep -q line; do sleep 0.1; done
docker logs --details bb
docker attach --no-stdin --sig-proxy=false bb & sleep 0.4; docker stop -t 0 bb; wait
docker attach bb
docker rm bb
docker run -d --name cc --network none --log-driver none busybox echo xx
docker wait cc
docker logs cc
docker inspect -f '{{json .HostConfig.LogConfig}} {{json .LogPath}}' cc
docker rm cc
docker run --name dd --network none --log-driver local busybox sh -c 'echo local; echo err >&2'
docker logs dd
docker inspect -f '{{json .HostConfig.LogConfig}} {{json .LogPath}}' dd
docker rm dd
docker create --name ee --network none -i busybox sh -c 'while read x; do echo got $x; done; echo end'
docker start ee
printf 'a\nb\n' | docker attach ee
docker wait ee
docker logs ee
docker rm ee
docker run --name ff --network none --log-opt max-size=1k --log-opt max-file=3 busybox sh -c 'for i in $(seq 1 100); do echo line $i; done' | tail -1
docker logs --tail 3 ff
docker rm ff
docker run -t --name gg --network none busybox sh -c 'echo tty; echo err >&2'
docker logs gg | od -c | head -5
docker rm gg
docker run -d --name hh --network none busybox sh -c 'echo 1; sleep 0.5; echo 2'
docker logs -f hh
docker rm hh
docker run --name ii --network none busybox sh -c 'head -c 40000 /dev/zero | tr "\0" xx; echo; echo end' | wc -c
docker logs ii | wc
docker logs --tail 1 ii
docker logs --tail 2 ii | wc -c
docker rm ii
docker create --name jj busybox true
docker logs jj
docker logs -f jj & sleep 0.3; docker start jj; wait
docker wait jj
docker attach jj
docker rm jj
