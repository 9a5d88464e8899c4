// Command smile-sandbox serves an offline emulation of Smile's API.
package main

import (
	"os"

	"github.com/smile-operator/smile-operator/internal/sandbox/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr))
}
