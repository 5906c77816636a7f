package strictjson

// names is a stack of names. A few take no memory of the heap.
type names struct {
	count int
	few   [8]string
	more  []string
}

func (n *names) push(name string) {
	if n.count < len(n.few) {
		n.few[n.count] = name
	} else {
		n.more = append(n.more[:n.count-len(n.few)], name)
	}
	n.count++
}

func (n *names) at(i int) string {
	if i < len(n.few) {
		return n.few[i]
	}
	return n.more[i-len(n.few)]
}

// has reports whether a name is on the stack, from an index on.
func (n *names) has(name string, from int) bool {
	for i := from; i < n.count; i++ {
		if n.at(i) == name {
			return true
		}
	}
	return false
}
