// Command release builds what a release consists of, without a container engine: the container images of the operator and the
// sandbox, the manifest and the chart that install the operator, the plugin for six platforms and its manifest for krew, software
// bills of materials and checksums. The same sources, version, repository and Go toolchain give the same files, byte for byte.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use: "release", Short: "Build and push a release", SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(buildCommand(), pushCommand())
	return root
}

func buildCommand() *cobra.Command {
	var r release
	build := &cobra.Command{
		Use: "build", Short: "Build all files of a release", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			digest, err := r.build(cmd.Context(), cmd.OutOrStdout())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", r.version, digest)
			return nil
		},
	}
	flags := build.Flags()
	flags.StringVar(&r.root, "root", filepath.Join("..", ".."), "root of the repository")
	flags.StringVar(&r.version, "version", "", "version, such as v0.1.0")
	flags.StringVar(&r.repository, "repository", "smile-operator",
		"repository that the operator's image will be in, with its registry, such as registry.example.com/team/smile-operator")
	flags.StringVar(&r.dist, "dist", "", "directory to write to; what it contains is deleted (default: dist in the root)")
	flags.StringSliceVar(&r.architectures, "arch", []string{"amd64", "arm64"}, "architectures of the images")
	flags.StringSliceVar(&r.platforms, "platforms", platforms, "platforms of the plugin, as os/arch")
	flags.StringVar(&r.downloads, "downloads", "https://github.com/smile-operator/smile-operator/releases/download",
		"URL below which the files of a version can be downloaded, for the manifest of krew")
	_ = build.MarkFlagRequired("version")
	return build
}

func pushCommand() *cobra.Command {
	var dist, repository, version string
	push := &cobra.Command{
		Use: "push", Short: "Push the images to their repositories, with the credentials of docker login", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range images {
				reference, err := push(cmd.Context(), filepath.Join(dist, layouts, name), beside(repository, name), version)
				if err != nil {
					return fmt.Errorf("pushing %s: %w", name, err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), reference)
			}
			return nil
		},
	}
	flags := push.Flags()
	flags.StringVar(&dist, "dist", filepath.Join("..", "..", "dist"), "directory of the release")
	flags.StringVar(&repository, "repository", "", "repository of the operator's image")
	flags.StringVar(&version, "version", "", "version, which becomes the tag")
	_ = push.MarkFlagRequired("repository")
	_ = push.MarkFlagRequired("version")
	return push
}

// operatorImage is the image that the manifests run.
const operatorImage = "smile-operator"

// images are the commands that have an image.
var images = []string{operatorImage, "smile-sandbox"}

// beside returns the repository of an image: the operator's, or one next to it.
func beside(repository, name string) string {
	if name == operatorImage {
		return repository
	}
	return path.Join(path.Dir(repository), name)
}

var semanticVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
