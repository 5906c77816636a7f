package doctor

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
)

// podFindings returns what is wrong with the way a pod reads the public keys, and whether it reads them.
func podFindings(pod *corev1.Pod) (findings []string, consumes bool) {
	volumes := map[string]bool{}
	for i := range pod.Spec.Volumes {
		found, is := volumeFindings(&pod.Spec.Volumes[i])
		if is {
			volumes[pod.Spec.Volumes[i].Name] = true
		}
		findings = append(findings, found...)
	}
	consumes = len(volumes) > 0
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			for _, m := range c.VolumeMounts {
				if volumes[m.Name] && (m.SubPath != "" || m.SubPathExpr != "") {
					findings = append(findings, "container "+c.Name+" mounts the keys by subPath, which is never updated: mount the directory")
				}
			}
			if readsFromEnvironment(c) {
				consumes = true
				findings = append(findings, "container "+c.Name+" reads the keys from environment variables, which are never updated: mount them as a volume")
			}
		}
	}
	return findings, consumes
}

// volumeFindings returns what is wrong with a volume, and whether it has the public keys.
func volumeFindings(v *corev1.Volume) (findings []string, is bool) {
	optional := func(o *bool) {
		if o != nil && *o {
			findings = append(findings, "volume "+v.Name+" has optional: true, so the pod can start without keys, and loses them if the "+
				"ConfigMap is deleted: set optional to false")
		}
	}
	if cm := v.ConfigMap; cm != nil && cm.Name == contract.JWKSConfigMap {
		findings = append(findings, "volume "+v.Name+" is a plain configMap volume, which can fail if the disk is full: use a projected volume")
		optional(cm.Optional)
		return findings, true
	}
	if v.Projected == nil {
		return nil, false
	}
	for _, source := range v.Projected.Sources {
		if cm := source.ConfigMap; cm != nil && cm.Name == contract.JWKSConfigMap {
			is = true
			optional(cm.Optional)
		}
	}
	return findings, is
}

func readsFromEnvironment(c *corev1.Container) bool {
	for _, e := range c.EnvFrom {
		if e.ConfigMapRef != nil && e.ConfigMapRef.Name == contract.JWKSConfigMap {
			return true
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil && e.ValueFrom.ConfigMapKeyRef.Name == contract.JWKSConfigMap {
			return true
		}
	}
	return false
}
