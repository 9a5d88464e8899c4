package appapi

// AllReasons are the reasons of the catalogue.
var AllReasons = allReasons
