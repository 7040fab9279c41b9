"""imagekin finds the kin of an image: index a folder of pictures, search it by picture."""
