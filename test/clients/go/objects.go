package main

import (
	"context"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// list NAMESPACE list: every ConfigMap and the card in it.
func list(ctx context.Context, c *client, _ []string) error {
	found, err := c.clientset.CoreV1().ConfigMaps(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, each := range found.Items {
		fmt.Println(each.Name, each.Data["card"])
	}
	return nil
}

// watchConfigMaps prints each event until the program is ended.
func watchConfigMaps(ctx context.Context, c *client, _ []string) error {
	watching, err := c.clientset.CoreV1().ConfigMaps(c.namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for event := range watching.ResultChan() {
		if configMap, is := event.Object.(*corev1.ConfigMap); is {
			fmt.Println(event.Type, configMap.Name, configMap.Data["card"])
		} else {
			fmt.Println(event.Type, event.Object)
		}
	}
	return nil
}

// create NAME
func create(ctx context.Context, c *client, args []string) error {
	configMap := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: args[0]},
		Data:       map[string]string{"made": "yes"},
	}
	_, err := c.clientset.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap, metav1.CreateOptions{})
	return err
}

// patch NAME, by a merge patch.
func patch(ctx context.Context, c *client, args []string) error {
	body := []byte(`{"data": {"patched": "yes"}}`)
	_, err := c.clientset.CoreV1().ConfigMaps(c.namespace).
		Patch(ctx, args[0], types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

// logs POD CONTAINER
func logs(ctx context.Context, c *client, args []string) error {
	return c.printLogs(ctx, args[0], &corev1.PodLogOptions{Container: args[1]})
}

// follow POD CONTAINER, until the program is ended.
func follow(ctx context.Context, c *client, args []string) error {
	return c.printLogs(ctx, args[0], &corev1.PodLogOptions{Container: args[1], Follow: true})
}

func (c *client) printLogs(ctx context.Context, pod string, options *corev1.PodLogOptions) error {
	stream, err := c.clientset.CoreV1().Pods(c.namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	_, err = io.Copy(os.Stdout, stream)
	return err
}
