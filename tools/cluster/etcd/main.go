// Command etcd is the stock etcd server: its own module keeps main behind replaced modules, so it is started from here.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
