# volume create, ls, inspect, rm, prune
docker volume create
docker volume create va
docker volume create va
docker volume create --label x=1 --label yy vb
docker volume create -d local -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=7 vc
docker volume create -o type=tmpfs vc
docker volume create -d nosuch vd
docker volume create a/b
docker volume create -- -x
docker volume create vx
docker volume create -o nosuch=1 vd
docker volume create -o type=tmpfs vd
docker volume create -o o=bind -o device=/nosuch vd
docker run --rm --network none -v vd:/d busybox true
docker volume ls | grep -v '[0-9a-f]\{64\}'
docker volume ls -q | grep -v '^[0-9a-f]\{64\}$'
docker volume ls --format '{{.Name}} {{.Driver}} {{.Labels}} {{.Mountpoint}} {{.Scope}} {{.Size}} {{.Links}} {{.Label "x"}}' -f name=vb
docker volume ls --format json -f name=vc
docker volume ls -q -f label=x
docker volume ls -q -f label=x=2
docker volume ls -q -f driver=local -f name=va
docker volume ls -q -f driver=nosuch
docker volume ls -f nosuch=1
docker volume ls -f dangling=maybe
docker volume inspect va vb vc
docker volume inspect nosuch
docker volume inspect va nosuch -f '{{.Name}}'
docker inspect va
docker run --rm --network none -v vc:/c busybox sh -c 'df -k /c | tail -1 | tr -s " " | cut -d" " -f2,6; stat -c %u /c'
docker run -d --name user --network none -v va:/a busybox sleep 100
docker volume rm va
docker volume rm -f va
docker volume rm nosuch
docker volume rm -f nosuch
docker volume rm nosuch vb
docker volume prune -f --filter label=nosuch
docker volume prune -f --filter nosuch=1
docker volume prune -f | sed 's/[0-9a-f]\{64\}/ID/'
docker volume ls -q
docker rm -f user
docker volume prune -f -a --filter label!=x | sort
docker volume ls -q
docker volume update va
docker volume rm vc
