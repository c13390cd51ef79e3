# volume create, ls, inspect, rm, prune
docker volume create
docker volume create aa
docker volume create aa
docker volume create --label x=1 --label yy bb
docker volume create -d local -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=7 cc
docker volume create -o type=tmpfs cc
docker volume create -d nosuch dd
docker volume create a/b
docker volume create -- -x
docker volume create xx
docker volume create -o nosuch=1 dd
docker volume create -o type=tmpfs dd
docker volume create -o o=bind -o device=/nosuch dd
docker run --rm --network none -v dd:/d busybox true
docker volume ls
docker volume ls -q | grep -v '^[0-9a-f]\{64\}$'
docker volume ls --format '{{.Name}} {{.Driver}} {{.Labels}} {{.Mountpoint}} {{.Scope}} {{.Size}} {{.Links}} {{.Label "x"}}' -f name=bb
docker volume ls --format json -f name=cc
docker volume ls -q -f label=x
docker volume ls -q -f label=x=2
docker volume ls -q -f driver=local -f name=aa
docker volume ls -q -f driver=nosuch
docker volume ls -f nosuch=1
docker volume ls -f dangling=maybe
docker volume inspect aa bb cc
docker volume inspect nosuch
docker volume inspect aa nosuch -f '{{.Name}}'
docker inspect aa
docker run --rm --network none -v cc:/c busybox sh -c 'df -k /c | tail -1 | tr -s " " | cut -d" " -f2,6; stat -c %u /c'
docker run -d --name user --network none -v aa:/a busybox sleep 100
docker volume rm aa
docker volume rm -f aa
docker volume rm nosuch
docker volume rm -f nosuch
docker volume rm nosuch bb
docker volume prune -f --filter label=nosuch
docker volume prune -f --filter nosuch=1
docker volume prune -f | sed 's/[0-9a-f]\{64\}/ID/'
docker volume ls -q
docker rm -f user
docker volume prune -f -a --filter label!=x | sort
docker volume ls -q
docker volume update aa
docker volume rm cc
