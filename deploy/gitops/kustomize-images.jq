# From a lock file, in JSON, a kustomize component that puts the locked images into manifests:
#
#   jq -f kustomize-images.jq imageref.lock.json > apps/images/kustomization.yaml
#
# A manifest names an image by the name of its ImageRef. Images that may not be used and machine images
# are left out, so their names stay and no node can pull them.
def parts: capture("^(?<newName>[^@]+?)(:(?<newTag>[^/:@]+))?(@(?<digest>.+))?$");

{
  apiVersion: "kustomize.config.k8s.io/v1alpha1",
  kind: "Component",
  images: [
    .images[]
    | select(.image != null and .notUsable == null)
    | { name } + (.image | parts)
    | if .digest then del(.newTag) else . end
    | with_entries(select(.value != null))
  ]
}
