// Package createmodel is a model of how a person is created at Smile, small enough to be explored completely. It has
// no code but its tests, which explore every state that can be reached and check that nobody is ever made twice, and
// that from wherever trouble has led, a way without further trouble leads to a person that the object knows.
//
// state_test.go is what there is, step_test.go what can happen to it, explore_test.go the search, and model_test.go
// what is asserted, and what each rule of the protocol is for: without it, the model finds a person made twice.
package createmodel
