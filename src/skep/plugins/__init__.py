"""Instance and flavor plugins. May import model, ports and specs; they know no concrete adapter."""
