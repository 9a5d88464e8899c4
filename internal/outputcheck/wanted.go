package outputcheck

import (
	"context"
	"hash/fnv"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
)

const (
	// indexSlice finds the objects whose outputs are read in one slice of a cycle.
	indexSlice = "outputcheck.slice"
	// sliceCount is how many slices a cycle has. The objects of one slice are listed together, when it is due.
	sliceCount = 64
)

// kind is a kind of objects that have outputs.
type kind struct {
	object func() engine.Object
	list   func() client.ObjectList
}

var kinds = map[string]kind{
	"SmileUser": {
		func() engine.Object { return &v1alpha1.SmileUser{} }, func() client.ObjectList { return &v1alpha1.SmileUserList{} },
	},
	"SmileAccountSync": {
		func() engine.Object { return &v1alpha1.SmileAccountSync{} },
		func() client.ObjectList { return &v1alpha1.SmileAccountSyncList{} },
	},
	"SmileWebhookSubscription": {
		func() engine.Object { return &v1alpha1.SmileWebhookSubscription{} },
		func() client.ObjectList { return &v1alpha1.SmileWebhookSubscriptionList{} },
	},
	"SmileWinkWidget": {
		func() engine.Object { return &v1alpha1.SmileWinkWidget{} },
		func() client.ObjectList { return &v1alpha1.SmileWinkWidgetList{} },
	},
}

// wanted are the outputs that an object has, as its status names them. An object that is suspended or being deleted has
// none, because nothing would be written for it.
func wanted(object engine.Object) []output.Target {
	if object.Suspended() || !object.GetDeletionTimestamp().IsZero() {
		return nil
	}
	switch object := object.(type) {
	case *v1alpha1.SmileUser:
		if token := object.Status.LinkToken; token != nil {
			return []output.Target{{Kind: output.Secret, Name: token.SecretName}}
		}
	case *v1alpha1.SmileAccountSync:
		return output.TargetsOf(object.Status.Output)
	case *v1alpha1.SmileWebhookSubscription:
		if name := object.Status.SecretName; name != "" {
			return []output.Target{{Kind: output.Secret, Name: name}}
		}
	case *v1alpha1.SmileWinkWidget:
		if name := object.Status.ConfigMapName; name != "" {
			return []output.Target{{Kind: output.ConfigMap, Name: name}}
		}
	}
	return nil
}

// RegisterIndexes lets the cache find objects by the slice in which their outputs are read. Objects without outputs have no
// slice.
func RegisterIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, kind := range kinds {
		if err := indexer.IndexField(ctx, kind.object(), indexSlice, sliceOf); err != nil {
			return err
		}
	}
	return nil
}

func sliceOf(object client.Object) []string {
	if len(wanted(object.(engine.Object))) == 0 {
		return nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(object.GetNamespace() + "/" + object.GetName()))
	return []string{strconv.Itoa(int(hash.Sum32() % sliceCount))}
}
