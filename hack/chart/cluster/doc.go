// Package cluster tests the installation on a real control plane. There are no nodes and no registry, so the containers run as
// processes of this machine.
package cluster
