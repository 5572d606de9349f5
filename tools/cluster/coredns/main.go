// Command coredns is CoreDNS with the few plugins that a cluster's DNS needs; the stock one compiles in every cloud's client.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func init() {
	// The order is the order in which plugins see a query.
	dnsserver.Directives = []string{"bind", "health", "ready", "errors", "hosts", "kubernetes"}
}

func main() { coremain.Run() }
