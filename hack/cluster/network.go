package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// plug lays a wire from the host into the network of a process, and sends to it what is for nodes, pods and services.
func plug(pid int) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = wire
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add a network link to the cluster: %w", err)
	}
	link, err := raise(wire, hostIP)
	if err != nil {
		return err
	}
	for _, cidr := range []string{podCIDR, serviceCIDR} {
		_, destination, err := net.ParseCIDR(cidr)
		if err != nil {
			return err
		}
		route := netlink.Route{LinkIndex: link.Attrs().Index, Dst: destination, Gw: net.ParseIP(nodeIP)}
		if err := netlink.RouteAdd(&route); err != nil {
			return fmt.Errorf("route %s to the cluster: %w", cidr, err)
		}
	}
	return nil
}

// raise gives an interface an address in a network of 256 and brings it up.
func raise(name, address string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, err
	}
	addr, err := netlink.ParseAddr(address + "/24")
	if err != nil {
		return nil, err
	}
	return link, errors.Join(netlink.AddrAdd(link, addr), netlink.LinkSetUp(link))
}

// unplug takes the wire away, if it is there: with its other end in a network that is gone, the kernel may have done so.
func unplug() error {
	link, err := netlink.LinkByName(wire)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	} else if err != nil {
		return err
	}
	return netlink.LinkDel(link)
}
