package strictjson

// nameStack is a stack of names. A few need no heap allocation.
type nameStack struct {
	count int
	few   [8]string
	more  []string
}

func (n *nameStack) push(name string) {
	if n.count < len(n.few) {
		n.few[n.count] = name
	} else {
		n.more = append(n.more[:n.count-len(n.few)], name)
	}
	n.count++
}

func (n *nameStack) at(i int) string {
	if i < len(n.few) {
		return n.few[i]
	}
	return n.more[i-len(n.few)]
}

// contains reports whether a name is on the stack, at or above an index.
func (n *nameStack) contains(name string, from int) bool {
	for i := from; i < n.count; i++ {
		if n.at(i) == name {
			return true
		}
	}
	return false
}
