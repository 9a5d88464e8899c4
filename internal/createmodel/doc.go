// Package createmodel is a model of how a user is created at Smile. It is small enough to be explored completely, and consists of
// tests only. They explore every state that can be reached. They check that no subject is ever created twice, and that from every
// state, if no more faults occur, the object gets its user.
//
// state_test.go defines the state, step_test.go and its neighbors what can change it, and explore_test.go the search.
// model_test.go contains the assertions. It also shows that each rule of the protocol is needed: without the rule, the model
// finds a user that is created twice.
package createmodel
