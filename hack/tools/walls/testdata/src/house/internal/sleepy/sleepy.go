package sleepy

import "time"

func nap() {
	time.Sleep(time.Second) // want "inject a clock"
	_ = time.Sleep          // want "inject a clock"
	<-time.After(time.Second)
}
