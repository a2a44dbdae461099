"""What the plugin shows: one module per widget, and the thread that work is done on."""
