# commit, and what runs from it
docker run --name aa --network none -v /vol -e A=1 busybox sh -c 'echo made >/made; echo in >/vol/x; rm /etc/group'
docker commit aa new:one
docker image inspect new:one
docker history --format '{{.CreatedBy}} {{.Comment}}' new:one
docker run --rm --network none new:one cat /made
docker run --rm --network none new:one ls /vol /etc
docker commit -a 'An Author' -m 'a message' -c 'CMD ["echo","changed"]' -c 'ENV B=2' -c 'EXPOSE 81' -c 'LABEL x=y' -c 'USER 7' -c 'WORKDIR /tmp' aa new:two
docker image inspect -f '{{.Author}} {{.Comment}} {{json .Config}}' new:two
docker run --rm --network none new:two
docker commit aa
docker commit aa UPPER
docker commit aa bad:tag:x
docker commit nosuch xx
docker commit -c 'NOSUCH x' aa xx
docker commit -c 'RUN x' aa xx
docker rm -v aa
docker run -d --name bb --network none busybox sh -c 'echo 1 >/run-file; sleep 100'
until docker exec bb test -e /run-file; do sleep 0.1; done
docker commit -p=false bb live
docker run --rm --network none live cat /run-file
docker inspect -f '{{.State.Status}}' bb
docker pause bb
docker commit bb paused
docker inspect -f '{{.State.Status}}' bb
docker rm -f bb
docker images --format '{{.Repository}}:{{.Tag}}' | sort
docker rmi new:one new:two live paused
docker image prune -f | grep -c sha256
