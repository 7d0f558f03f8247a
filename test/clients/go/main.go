// A client-go program as an agent could be: every subcommand does one thing with the cluster of $KUBECONFIG, in the
// namespace of the first argument, and prints what it was given.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/exec"
)

// client is what a subcommand works with.
type client struct {
	config    *rest.Config
	clientset *kubernetes.Clientset
	namespace string
}

var commands = map[string]func(context.Context, *client, []string) error{
	"list":           list,
	"watch":          watchConfigMaps,
	"create":         create,
	"refusal":        create,
	"patch":          patch,
	"logs":           logs,
	"follow":         follow,
	"exec":           execute,
	"input":          execute,
	"attach":         attach,
	"port-forward":   forward,
	"informers":      runInformers,
	"many informers": runInformers,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:])
	var exit exec.CodeExitError
	if errors.As(err, &exit) {
		os.Exit(exit.Code)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: client NAMESPACE COMMAND [ARGUMENT...]")
	}
	command, known := commands[args[1]]
	if !known {
		return fmt.Errorf("no command %q", args[1])
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return err
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return command(ctx, &client{config, clientset, args[0]}, args[2:])
}
