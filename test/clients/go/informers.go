package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// runInformers COUNT: so many informers of ConfigMaps on one transport. Says how they came to their first state, then
// every change that the first of them is told of, until the program is ended.
func runInformers(ctx context.Context, c *client, args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	traffic := c.observe()
	clientset, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return err
	}
	// Go dials for every request that finds no connection yet; the connection of this one serves all that follow.
	if _, err := clientset.Discovery().ServerVersion(); err != nil {
		return err
	}
	synced := make([]cache.InformerSynced, count)
	for index := range synced {
		synced[index] = c.startInformer(ctx, clientset, index)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return ctx.Err()
	}
	fmt.Printf("synced %d over %s on %d connections, %d by WatchList\n",
		count, traffic.protocol(), traffic.connections.Load(), traffic.watchLists.Load())
	<-ctx.Done()
	return nil
}

// startInformer gives each informer a selector of its own, as two that ask for the same would share a watch cache.
func (c *client) startInformer(ctx context.Context, clientset kubernetes.Interface, index int) cache.InformerSynced {
	factory := informers.NewSharedInformerFactoryWithOptions(clientset, time.Second,
		informers.WithNamespace(c.namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) {
			if index > 0 {
				options.LabelSelector = fmt.Sprintf("informer notin (%d)", index)
			}
		}))
	informer := factory.Core().V1().ConfigMaps().Informer()
	if index == 0 {
		informer.AddEventHandler(printer())
	}
	factory.Start(ctx.Done())
	return informer.HasSynced
}

func printer() cache.ResourceEventHandler {
	say := func(event string, object any) {
		configMap, is := object.(*corev1.ConfigMap)
		if !is {
			configMap, _ = object.(cache.DeletedFinalStateUnknown).Obj.(*corev1.ConfigMap)
		}
		fmt.Println(event, configMap.Name, configMap.Data["card"])
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { say("ADDED", object) },
		UpdateFunc: func(before, after any) {
			if before.(*corev1.ConfigMap).ResourceVersion == after.(*corev1.ConfigMap).ResourceVersion {
				say("RESYNCED", after)
			} else {
				say("MODIFIED", after)
			}
		},
		DeleteFunc: func(object any) { say("DELETED", object) },
	}
}

// traffic is what went over the wire of one rest.Config.
type traffic struct {
	connections atomic.Int32 // that are open
	watchLists  atomic.Int32
	protocols   sync.Map
}

func (c *client) observe() *traffic {
	seen := &traffic{}
	dialer := &net.Dialer{}
	c.config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		seen.connections.Add(1)
		return &countedConnection{Conn: connection, closed: sync.OnceFunc(func() { seen.connections.Add(-1) })}, nil
	}
	c.config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &observer{next, seen} })
	// As controllers set it: the default of 5 requests a second holds back the informers, not the gateway.
	c.config.QPS = -1
	return seen
}

type countedConnection struct {
	net.Conn
	closed func()
}

func (c *countedConnection) Close() error {
	c.closed()
	return c.Conn.Close()
}

func (t *traffic) protocol() string {
	names := ""
	t.protocols.Range(func(name, _ any) bool {
		names += name.(string)
		return true
	})
	return names
}

type observer struct {
	next http.RoundTripper
	seen *traffic
}

func (o *observer) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Query().Get("sendInitialEvents") == "true" {
		o.seen.watchLists.Add(1)
	}
	response, err := o.next.RoundTrip(request)
	if err == nil {
		o.seen.protocols.Store(response.Proto, true)
	}
	return response, err
}
