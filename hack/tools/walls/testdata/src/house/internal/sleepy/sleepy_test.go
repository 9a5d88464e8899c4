package sleepy

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestNap(t *testing.T) {
	synctest.Test(t, func(*testing.T) { time.Sleep(time.Second) })
}
