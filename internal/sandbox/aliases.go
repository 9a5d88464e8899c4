package sandbox

import "github.com/smile-operator/smile-operator/internal/sandbox/delivery"

// The types of deliveries that callers need.
type (
	Delivery      = delivery.Delivery
	DeliveryFault = delivery.Fault
)

// The states of a delivery that callers need.
const (
	DeliveryDelivered = delivery.Delivered
	DeliveryFailed    = delivery.Failed
)
