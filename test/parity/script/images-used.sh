# Images that are used, or have several names
docker tag busybox second:1
docker tag busybox third
docker tag $(docker images -q busybox) by-id:1
docker rmi $(docker images -q busybox | head -1)
docker rmi by-id:1 third
docker create --name created busybox true
docker rmi second:1
docker rmi busybox
docker rmi $(docker images -q busybox)
docker tag busybox second:1
docker rmi $(docker images -q busybox | head -1)
docker start created
docker wait created
docker run -d --name running --network none busybox sleep 100
docker rmi second:1
docker rmi $(docker images -q busybox)
docker rmi -f $(docker images -q busybox)
docker inspect -f '{{.Image}} {{.Config.Image}}' running
docker ps -a --format '{{.Names}} {{.Image}}'
docker tag busybox moved
mkdir -p root; echo x >root/f; tar -C root -c . | docker import - busybox
docker ps -a --format '{{.Names}} {{.Image}}'
docker images -a --format '{{.Repository}}:{{.Tag}}' | sort
docker ps -a --filter ancestor=busybox --format '{{.Names}}'
docker ps -a --filter ancestor=moved --format '{{.Names}}'
docker rm -f created running
docker tag moved busybox
docker rmi moved
docker images -f dangling=true --format '{{.Repository}}:{{.Tag}}'
docker image prune -f | grep -c deleted
docker images --format '{{.Repository}}:{{.Tag}}'
docker rmi second:1
docker save busybox | tar -xO manifest.json | sed 's/[0-9a-f]\{64\}/ID/g'
docker save busybox | docker load
docker import root/f
docker rmi -f $(docker images -qf dangling=true) | wc -l
docker image inspect busybox busybox:latest -f '{{.RepoTags}}'
docker image inspect sha256:0000 -f '{{.Id}}'
docker image ls --filter reference=busy --filter reference='b*' --format '{{.Repository}}'
docker image ls --format json | grep -o '"[A-Za-z]*":' | sort -u
