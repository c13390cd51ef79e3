# pull, push, login and what goes wrong with them: test/parity/registries.ts has the registries. The order of layers is anybody's.
docker pull $OPEN/x/y:one | sed 's/^[0-9a-f]\{12\}: /layer: /' | sort
docker pull $OPEN/x/y:one
docker pull -q $OPEN/x/y:one
docker pull $OPEN/x/y:two | sed 's/^[0-9a-f]\{12\}: /layer: /' | sort
docker pull $OPEN/x/y:index
docker images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}' | sort
docker image inspect -f '{{json .RepoTags}} {{json .RepoDigests}}' $OPEN/x/y:one
docker pull $OPEN/x/y@$(docker image inspect -f '{{index .RepoDigests 0}}' $OPEN/x/y:one | sed 's/.*@//')
docker pull -a $OPEN/x/y | grep -c 'Pulling from\|Digest:'
docker pull -a -q $OPEN/x/y
docker pull -a $OPEN/x/y:one
docker pull $OPEN/x/y:nope
docker pull $OPEN/x/nope
docker pull -a $OPEN/x/nope
docker pull $OPEN/x/y@sha256:0000000000000000000000000000000000000000000000000000000000000000
docker pull $OPEN/X/y
docker pull --platform linux/s390x $OPEN/x/y:index
docker pull --platform linux/s390x $OPEN/x/y:one
docker pull --platform linux/s390x -q $OPEN/x/y:one
docker pull --platform nosuch/x/y/z $OPEN/x/y:one
docker pull --platform 'linux/a b' $OPEN/x/y:one
docker run --rm --network none $OPEN/x/nope true
docker create --name aa $OPEN/x/y:nope true
docker create -q --name aa $OPEN/x/y:one true
docker rm aa
docker rmi $OPEN/x/y:index $OPEN/x/y:two
docker create --name aa $OPEN/x/y:two true 2>&1 | sed 's/^[0-9a-f]\{12\}: /layer: /' | sort | grep -v 'layer: [DPVW]\|^[0-9a-f]\{64\}$'
docker create --name bb --pull never $OPEN/x/y:nope true
docker create --name bb --pull always $OPEN/x/y:one true
docker rm aa bb
docker rmi -f $(docker images -q $OPEN/x/y | sort -u) >/dev/null
# The stream itself, as SDKs read it.
S=${DOCKER_HOST#unix://}; curl -s --unix-socket $S -X POST "http://d/v1.45/images/create?fromImage=$OPEN/x/y&tag=one" | sed 's/"id":"[0-9a-f]\{12\}"/"id":"layer"/' | sort -u
S=${DOCKER_HOST#unix://}; curl -s --unix-socket $S -X POST "http://d/v1.45/images/create?fromImage=$OPEN/x/y&tag=one"
S=${DOCKER_HOST#unix://}; curl -s --unix-socket $S -X POST "http://d/v1.45/images/create?fromImage=$OPEN/x/y&tag=nope"
S=${DOCKER_HOST#unix://}; curl -s --unix-socket $S -X POST "http://d/v1.45/images/create?fromImage=$ODD/x/y&tag=layers"
docker pull $ODD/x/y:old
docker pull $ODD/x/y:both
docker pull $ODD/x/y:artifact
docker pull $ODD/x/y:layers
docker pull $ODD/x/y:type
docker pull $ODD/x/y:limited
docker pull $ODD/x/y:broken
docker pull $ODD/x/y:teapot
docker pull $ODD/x/y:lost 2>&1 | sed 's/^[0-9a-f]\{12\}: /layer: /' | grep -v Downloading
docker pull $ODD/x/y:corrupt 2>&1 | sed 's/^[0-9a-f]\{12\}: /layer: /'
docker images -q $ODD/x/y
docker pull $TOKEN/x/y:one
docker tag busybox $TOKEN/x/y:one
docker push $TOKEN/x/y:one
echo wrong | docker --config $PWD login -u sailor --password-stdin $TOKEN
echo berth | docker --config $PWD login -u sailor --password-stdin $TOKEN 2>/dev/null
docker --config $PWD push $TOKEN/x/y:one | sed 's/^[0-9a-f]\{12\}: /layer: /' | uniq
docker --config $PWD pull -q $TOKEN/x/y:one
docker --config $PWD pull $TOKEN/x/nope
docker --config $PWD pull $TOKEN/shut/x
docker tag busybox $TOKEN/shut/x
docker --config $PWD push $TOKEN/shut/x | sed 's/^[0-9a-f]\{12\}: /layer: /'
docker --config $PWD push $TOKEN/shut/x 2>&1 >/dev/null
docker --config $PWD logout $TOKEN
docker tag busybox $OPEN/a/b:1
docker push $OPEN/a/b:1 | sed 's/^[0-9a-f]\{12\}: /layer: /' | uniq
docker push $OPEN/a/b:1 | sed 's/^[0-9a-f]\{12\}: /layer: /' | uniq
docker image inspect -f '{{len .RepoDigests}}' $OPEN/a/b:1
docker tag busybox $OPEN/a/c:1
docker push $OPEN/a/c:1 | sed 's/^[0-9a-f]\{12\}: /layer: /' | uniq
docker push -q $OPEN/a/c:1
docker tag busybox $OPEN/a/c:2
docker push -a -q $OPEN/a/c
docker push -a $OPEN/a/c | sed 's/^[0-9a-f]\{12\}: /layer: /' | uniq
docker push -a $OPEN/a/c:1
docker push $OPEN/a/c
docker push $OPEN/a/c:nope
docker push $OPEN/a/nope
docker push $OPEN/A/c
docker push $OPEN/a/c@sha256:0000000000000000000000000000000000000000000000000000000000000000
S=${DOCKER_HOST#unix://}; docker tag busybox $OPEN/stream:1; curl -s --unix-socket $S -X POST -H "X-Registry-Auth: e30=" "http://d/v1.45/images/$OPEN/stream/push?tag=1" | sed 's/"id":"[0-9a-f]\{12\}"/"id":"layer"/' | sort -u
S=${DOCKER_HOST#unix://}; curl -s --unix-socket $S -X POST -H "X-Registry-Auth: e30=" "http://d/v1.45/images/$OPEN/stream/push?tag=nope"
S=${DOCKER_HOST#unix://}; docker tag busybox $GUARDED/stream:1; curl -s --unix-socket $S -X POST -H "X-Registry-Auth: e30=" "http://d/v1.45/images/$GUARDED/stream/push?tag=1" | sed 's/"id":"[0-9a-f]\{12\}"/"id":"layer"/' | sort -u
docker pull -q $OPEN/x/y:two
docker tag $OPEN/x/y:two $OPEN/again:1
docker push $OPEN/again:1 | sed 's/^[0-9a-f]\{12\}: /layer: /' | sort
docker pull $GUARDED/x/y:one
docker pull $GUARDED/x/nope
docker tag busybox $GUARDED/a/b:1
docker push $GUARDED/a/b:1
docker --config $PWD login -u sailor -p wrong $GUARDED
echo wrong | docker --config $PWD login -u sailor --password-stdin $GUARDED
echo berth | docker --config $PWD login -u sailor --password-stdin $GUARDED
docker --config $PWD pull -q $GUARDED/x/y:one
docker --config $PWD push -q $GUARDED/a/b:1
docker --config $PWD pull $GUARDED/x/y:nope
docker --config $PWD logout $GUARDED
docker --config $PWD pull $GUARDED/x/y:one
docker pull 127.0.0.1:1/x
docker pull nobody.invalid/x 2>&1 | sed 's/ lookup nobody.invalid.*/ lookup nobody.invalid/'
# Berth learns that nobody is there from its first question, which is about a layer (ADR 17).
docker tag busybox 127.0.0.1:1/x
docker push 127.0.0.1:1/x | grep -v ': Preparing$'
docker --config $PWD login -u a -p b 127.0.0.1:1
docker pull $PLAIN/x
docker pull $SECURE/x
docker tag busybox $PLAIN/x
docker push $PLAIN/x | grep -v ': Preparing$'
docker tag busybox $SECURE/x
docker push $SECURE/x | grep -v ': Preparing$'
docker --config $PWD login -u a -p b $PLAIN
docker --config $PWD login -u a -p b $SECURE
docker search $OPEN/x
docker search 127.0.0.1:1/x
docker images --format '{{.Repository}}:{{.Tag}}' | grep -v '^busybox:' | xargs docker rmi | grep -c Untagged
docker images
