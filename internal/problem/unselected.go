package problem

// Unselected continues a message that something does not exist: an operator that selects its objects by labels does not see those
// of other operators. selector is that of this operator; "" if it sees all objects.
func Unselected(selector string) string {
	if selector == "" {
		return ""
	}
	return ", or it does not have the labels by which this operator selects its objects (--watch-label-selector=" + selector + ")"
}
