#!/bin/sh
# Tollgate in a kind cluster, in five commands: needs kind, docker, helm, kubectl and curl. `kind delete cluster --name tollgate` takes it away.
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^appVersion: *//p' charts/tollgate/Chart.yaml)

# Twice is no harm: each command leaves alone what is there.
kind get clusters | grep -qx tollgate || kind create cluster --config kind-config.yaml
docker build --tag "tollgate:$version" .
kind load docker-image "tollgate:$version" --name tollgate
helm upgrade --install tollgate charts/tollgate --kube-context kind-tollgate --namespace tollgate --create-namespace \
  --values charts/tollgate/examples/kind.yaml --wait
kubectl --context kind-tollgate apply --filename deploy/kind/demo.yaml

# The operator says when every pod serves them.
kubectl --context kind-tollgate --namespace demo rollout status deployment/simulator --timeout=120s
kubectl --context kind-tollgate --namespace demo wait --for=condition=Programmed --timeout=120s \
  llmproviders/simulator llmroutes/chat tenantkeys/demo
key=$(kubectl --context kind-tollgate --namespace demo get secret demo-key --output 'go-template={{.data.key | base64decode}}')
echo "Asking with the key of the Secret demo-key:"
curl --silent --show-error --fail --retry 10 --retry-connrefused http://127.0.0.1:4000/v1/chat/completions \
  --header "Authorization: Bearer $key" --header 'Content-Type: application/json' \
  --data '{"model":"chat","messages":[{"role":"user","content":"What is the capital of France?"}]}'
