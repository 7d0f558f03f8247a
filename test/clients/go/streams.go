package main

import (
	"context"
	"net/http"
	"net/url"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

// exec TRANSPORT POD CONTAINER COMMAND...
func execute(ctx context.Context, c *client, args []string) error {
	options := &corev1.PodExecOptions{Container: args[2], Command: args[3:], Stdin: true, Stdout: true, Stderr: true}
	return c.stream(ctx, args[0], c.podURL(args[1], "exec", options))
}

// attach TRANSPORT POD CONTAINER
func attach(ctx context.Context, c *client, args []string) error {
	options := &corev1.PodAttachOptions{Container: args[2], Stdin: true, Stdout: true, Stderr: true}
	return c.stream(ctx, args[0], c.podURL(args[1], "attach", options))
}

func (c *client) podURL(pod, subresource string, options runtime.Object) *url.URL {
	request := c.clientset.CoreV1().RESTClient().Post().
		Namespace(c.namespace).Resource("pods").Name(pod).SubResource(subresource)
	if options != nil {
		request = request.VersionedParams(options, scheme.ParameterCodec)
	}
	return request.URL()
}

func (c *client) stream(ctx context.Context, transport string, target *url.URL) error {
	executor, err := c.executor(transport, target)
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
}

func (c *client) executor(transport string, target *url.URL) (remotecommand.Executor, error) {
	if transport == "WebSocket" {
		return remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, target.String())
	}
	return remotecommand.NewSPDYExecutor(c.config, http.MethodPost, target)
}

// port-forward TRANSPORT POD PORT: says which local port it listens on, until the program is ended.
func forward(ctx context.Context, c *client, args []string) error {
	dialer, err := c.dialer(args[0], c.podURL(args[1], "portforward", nil))
	if err != nil {
		return err
	}
	ports := []string{"0:" + args[2]}
	forwarder, err := portforward.New(dialer, ports, ctx.Done(), make(chan struct{}), os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	return forwarder.ForwardPorts()
}

func (c *client) dialer(transport string, target *url.URL) (httpstream.Dialer, error) {
	if transport == "WebSocket" {
		return portforward.NewSPDYOverWebsocketDialer(target, c.config)
	}
	roundTripper, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	return spdy.NewDialer(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, target), nil
}
