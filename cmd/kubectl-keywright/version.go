package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/cmd/commandline"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// versionTimeout limits each request to the cluster.
const versionTimeout = 5 * time.Second

// podSelector selects the pods of Keywright, including issuers of the chart keywright-issuer.
const podSelector = "app.kubernetes.io/name in (keywright,keywright-issuer),app.kubernetes.io/component in (controller,issuer,fetcher)"

// versions is the output of the command.
type versions struct {
	ClientVersion string         `json:"clientVersion"`
	GoVersion     string         `json:"goVersion"`
	Images        []runningImage `json:"images,omitempty"`
}

// runningImage is an image that pods of Keywright run in a namespace.
type runningImage struct {
	Component string `json:"component"`
	Namespace string `json:"namespace"`
	Image     string `json:"image"`
	Pods      int    `json:"pods"`
}

func versionCommand(env *cli.Env) *cobra.Command {
	var clientOnly bool
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of the plugin, and the images of Keywright that run in the cluster",
		Long: `Print the version of the plugin, and the images of the controllers, issuers and fetchers that run in the cluster.

If the cluster does not respond within 5 s, the images are omitted, with a message on standard error.`,
		Example: "  kubectl keywright version\n  kubectl keywright version --client\n  kubectl keywright version -o json",
		Args:    cli.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return cli.Usagef("--output must be json, not %q", output)
			}
			v := versions{ClientVersion: commandline.Version(), GoVersion: runtime.Version()}
			if !clientOnly {
				var err error
				if v.Images, err = runningImages(cmd.Context(), env); err != nil {
					cli.Printf(env.ErrOut, "Cannot list the images in the cluster: %v\n", err)
				}
			}
			return printVersions(env, v, output)
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "print only the version of the plugin")
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, for programs")
	return cmd
}

// runningImages returns the images that pods of Keywright run.
func runningImages(ctx context.Context, env *cli.Env) ([]runningImage, error) {
	env.LimitRequests(versionTimeout)
	k, err := env.Client()
	if err != nil {
		return nil, err
	}
	ours, err := labels.Parse(podSelector)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := k.List(ctx, &pods, client.MatchingLabelsSelector{Selector: ours}); err != nil {
		return nil, err
	}
	count := map[runningImage]int{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		component := pod.Labels["app.kubernetes.io/component"]
		for j := range pod.Spec.Containers {
			if container := &pod.Spec.Containers[j]; container.Name == component && pod.Status.Phase == corev1.PodRunning {
				count[runningImage{Component: component, Namespace: pod.Namespace, Image: container.Image}]++
			}
		}
	}
	var images []runningImage
	for image, n := range maps.All(count) {
		image.Pods = n
		images = append(images, image)
	}
	slices.SortFunc(images, func(a, b runningImage) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Image, b.Image))
	})
	return images, nil
}

func printVersions(env *cli.Env, v versions, output string) error {
	if output != "" {
		return env.PrintObject(output, v)
	}
	table := tabwriter.NewWriter(env.Out, 0, 0, 2, ' ', 0)
	cli.Printf(table, "kubectl keywright\t%s %s\n", v.ClientVersion, v.GoVersion)
	for _, image := range v.Images {
		where := fmt.Sprintf("%d pods in namespace %s", image.Pods, image.Namespace)
		if image.Pods == 1 {
			where = "1 pod in namespace " + image.Namespace
		}
		cli.Printf(table, "%s\t%s\t%s\n", image.Component, image.Image, where)
	}
	return table.Flush()
}
